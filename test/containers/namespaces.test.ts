import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { describeContainers, probe, runContainer, waitUntil } from './rig.ts'

interface Report {
  readonly namespaces: Readonly<Record<string, string>>
  readonly hostname: string
}

const NAMES = {
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  time: 'time',
} as const

function own(name: string): string {
  return readlinkSync(`/proc/self/ns/${name}`)
}

/** '' where there is no such namespace yet. */
function namespaceAt(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** A process in namespaces of its own, to be joined. */
async function holdNamespaces(...flags: string[]): Promise<ChildProcess & { pid: number }> {
  const holder = spawn('unshare', [...flags, 'sleep', '60'], { stdio: 'ignore' })
  onTestFinished(() => {
    holder.kill('SIGKILL')
  })
  const { pid } = holder
  if (pid === undefined) throw new Error('unshare did not start')
  return Object.assign(holder, { pid })
}

describeContainers('linux.namespaces', (runtime) => {
  it('those listed are new, the others are those of the caller', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.namespaces.push({ type: 'cgroup' })
    })
    const { namespaces } = report as Report
    for (const name of ['pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup']) {
      expect(namespaces[name]).toMatch(/:\[\d+\]$/)
      expect(namespaces[name], name).not.toBe(own(name))
    }
    expect(namespaces.user).toBe(own('user'))
    expect(namespaces.time).toBe(own('time'))
  })

  it('without pid, ipc, network and uts the container shares them', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.namespaces = [{ type: 'mount' }]
      delete config.hostname
      config.mounts = config.mounts.filter(({ type }) => type !== 'sysfs')
    })
    const { namespaces } = report as Report
    for (const name of ['pid', 'net', 'ipc', 'uts']) expect(namespaces[name], name).toBe(own(name))
  })

  it.each(['network', 'ipc', 'uts', 'cgroup'] as const)('%s is joined by path', async (type) => {
    const flag = { network: '--net', ipc: '--ipc', uts: '--uts', cgroup: '--cgroup' }[type]
    const { pid } = await holdNamespaces(flag)
    const path = `/proc/${pid}/ns/${NAMES[type]}`
    await waitUntil('unshare', () => !['', own(NAMES[type])].includes(namespaceAt(path)))
    const expected = readlinkSync(path)
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter((entry) => entry.type !== type)
      config.linux.namespaces.push({ type, path })
      if (type === 'uts') delete config.hostname
    })
    expect((report as Report).namespaces[NAMES[type]]).toBe(expected)
  })

  it('pid is joined by path: the container is not its first process', async () => {
    const { pid } = await holdNamespaces('--pid', '--fork', '--kill-child')
    const path = `/proc/${pid}/ns/pid_for_children`
    await waitUntil('unshare', () => !['', own('pid')].includes(namespaceAt(path)))
    const expected = readlinkSync(path)
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
      config.linux.namespaces.push({ type: 'pid', path })
    })
    expect((report as Report).namespaces.pid).toBe(expected)
    expect(report).not.toMatchObject({ pid: 1 })
  })

  // runc has time namespaces since 1.2.
  const hasTime = runtime.name === 'tsrunc'

  it.runIf(hasTime)('clocks are put forward and back in a new time namespace', () => {
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    const [report, offsets, uptime] = probe(
      runtime,
      [['report'], ['read', '/proc/self/timens_offsets'], ['read', '/proc/uptime']],
      (config) => {
        config.linux.namespaces.push({ type: 'time' })
        config.linux.timeOffsets = {
          boottime: { secs: 1_000_000n },
          monotonic: { secs: -1n, nanosecs: 5 },
        }
      },
    )
    const { namespaces } = report as Report
    expect(namespaces.time).not.toBe(own('time'))
    expect(String(offsets).trim().split(/\s+/)).toEqual([
      ...['monotonic', '-1', '5'],
      ...['boottime', '1000000', '0'],
    ])
    expect(Number(String(uptime).split(' ')[0])).toBeGreaterThanOrEqual(seconds + 1_000_000)
  })

  it.runIf(hasTime)('an offset that the clock cannot have is refused, and names its field', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.namespaces.push({ type: 'time' })
      config.linux.timeOffsets = { boottime: { secs: -1_000_000_000n } }
    })
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/\/linux\/timeOffsets: write\(.*ERANGE/)
  })

  it('lo is up in a new network namespace', () => {
    const [flags] = probe(runtime, [['read', '/sys/class/net/lo/flags']])
    expect(Number(flags) & 1).toBe(1)
  })

  it('a path of another type is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'ipc')
      config.linux.namespaces.push({ type: 'ipc', path: '/proc/self/ns/net' })
    })
    expect(result.status).toBe(1)
  })

  it('a type that is listed twice is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.namespaces.push({ type: 'ipc' })
    })
    expect(result.status).toBe(1)
  })
})
