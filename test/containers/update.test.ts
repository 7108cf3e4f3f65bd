import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  type Bundle,
  type Container,
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  type Runtime,
  unifiedCgroup,
  waitForStatus,
} from './rig.ts'

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const QUIET = { status: 0, stdout: '', stderr: '' }

/** A file and what it shall hold. */
type Expected = readonly [file: string, value: string]

interface Case {
  readonly flags: readonly string[]
  readonly v1: Expected
  /** Absent: cgroup v2 has no such limit, or counts otherwise. */
  readonly v2?: Expected
  /** Why runc 1.1 fails here. */
  readonly runc?: string
}

const NO_LIMIT = '9223372036854771712'

const CASES: readonly Case[] = [
  {
    flags: ['--memory', '50M'],
    v1: ['memory.limit_in_bytes', '52428800'],
    v2: ['memory.max', '52428800'],
  },
  {
    flags: ['--memory=60m', '--memory-swap', '80M'],
    v1: ['memory.memsw.limit_in_bytes', '83886080'],
    v2: ['memory.swap.max', '20971520'],
  },
  {
    flags: ['--memory-reservation', '1.5MiB'],
    v1: ['memory.soft_limit_in_bytes', '1572864'],
    v2: ['memory.low', '1572864'],
  },
  {
    flags: ['--memory', '-1'],
    v1: ['memory.limit_in_bytes', NO_LIMIT],
    v2: ['memory.max', 'max'],
  },
  {
    flags: ['--cpu-share', '1024'],
    v1: ['cpu.shares', '1024'],
    v2: ['cpu.weight', '100'],
    runc: 'with another formula',
  },
  {
    flags: ['--cpu-period=50000', '--cpu-quota=20000'],
    v1: ['cpu.cfs_quota_us', '20000'],
    v2: ['cpu.max', '20000 50000'],
  },
  {
    flags: ['--cpu-burst', '10000'],
    v1: ['cpu.cfs_burst_us', '10000'],
    v2: ['cpu.max.burst', '10000'],
    runc: 'since 1.2',
  },
  {
    flags: ['--cpu-quota', '-1'],
    v1: ['cpu.cfs_quota_us', '-1'],
    v2: ['cpu.max', 'max 50000'],
    runc: 'since 1.2 without the period',
  },
  { flags: ['--cpuset-cpus', '0'], v1: ['cpuset.cpus', '0'], v2: ['cpuset.cpus', '0'] },
  { flags: ['--cpuset-mems', '0'], v1: ['cpuset.mems', '0'], v2: ['cpuset.mems', '0'] },
  { flags: ['--pids-limit', '44'], v1: ['pids.max', '44'], v2: ['pids.max', '44'] },
  { flags: ['--pids-limit', '-1'], v1: ['pids.max', 'max'], v2: ['pids.max', 'max'] },
  {
    flags: ['--cpu-idle', '1'],
    v1: ['cpu.idle', '1'],
    v2: ['cpu.idle', '1'],
    runc: 'since 1.2',
  },
]

/** Of the version that is here; undefined without the controller, or such a file. */
function read(bundle: Bundle, v1: string, v2: string = v1): string | undefined {
  const unified = unifiedCgroup(bundle)
  const directory = unified ?? cgroupDirectory(v1.replace(/\..*/, ''), bundle)
  const path = join(directory ?? '', unified === undefined ? v1 : v2)
  return directory !== undefined && existsSync(path)
    ? readFileSync(path, 'latin1').trim()
    : undefined
}

const readMemory = (bundle: Bundle) => read(bundle, 'memory.limit_in_bytes', 'memory.max')

describeContainers('update', (runtime) => {
  const start = () => {
    const container = createContainer(runtime, [['hold', '0']], (config) => {
      config.linux.resources = { memory: { limit: 64n << 20n } }
    })
    invoke(runtime, ['start', container.id])
    return container
  }

  it('takes every limit as a flag; what is not named stays', () => {
    const { id, bundle } = start()
    for (const { flags, v1, v2, runc } of CASES) {
      if (runtime.name === 'runc' && runc !== undefined) continue
      const [file, value] = (isUnified ? v2 : v1) ?? ['', '']
      // A kernel without that file, or a host without that controller.
      if (read(bundle, file) === undefined) continue
      expect(invoke(runtime, ['update', ...flags, id]), flags.join(' ')).toMatchObject(QUIET)
      expect(read(bundle, file), flags.join(' ')).toBe(value)
    }
    expect(invoke(runtime, ['update', id])).toMatchObject(QUIET)
  })

  it('is in force at once', async () => {
    const { id, stdout } = createContainer(runtime, [['fork', '20']])
    expect(invoke(runtime, ['update', '--pids-limit', '5', id])).toMatchObject(QUIET)
    invoke(runtime, ['start', id])
    await waitForStatus(runtime, id, 'stopped')
    expect(stdout().trim()).toBe('[4]')
  })

  it.each(['-', 'FILE'])('reads --resources %s, as engines give it', (source) => {
    const { id, bundle } = start()
    const file = join(bundle.directory, 'resources.json')
    const text = JSON.stringify({
      // Of a null, runc panics.
      memory: { limit: 48 << 20, swap: 48 << 20, reservation: runtime.name === 'runc' ? 0 : null },
      cpu: { shares: 256, cpus: '' },
      pids: { limit: 21 },
    })
    writeFileSync(file, text)
    const flag = `--resources=${source === '-' ? '-' : file}`
    const result = invoke(runtime, ['update', flag, id], source === '-' ? { input: text } : {})
    expect(result).toMatchObject(QUIET)
    expect(read(bundle, 'pids.max') ?? '21').toBe('21')
    expect(readMemory(bundle) ?? '50331648').toBe('50331648')
    expect(read(bundle, 'cpu.shares', 'none') ?? '256').toBe('256')
  })

  it('of a stopped or unknown container is refused', async () => {
    const { id } = createContainer(runtime, [['report']])
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    const unknown = invoke(runtime, ['update', '--pids-limit', '5', 'tsrunc-test-unknown'])
    expect(unknown.status).toBe(1)
    expect(unknown.stderr).toContain('does not exist')
    // runc writes into the cgroup of a container that has stopped.
    if (runtime.name === 'runc') return
    const stopped = invoke(runtime, ['update', '--pids-limit', '5', id])
    expect(stopped.status).toBe(1)
    expect(stopped.stderr).toContain('container not running')
  })

  it.each([
    ['--memory', '50X'],
    ['--memory', 'x'],
    ['--cpu-period', '1e5'],
    ['--pids-limit', '5.5'],
    ['--resources', '/no/such/file'],
  ])('%s %s is refused, and nothing changes', (flag, value) => {
    const { id, bundle } = start()
    const before = readMemory(bundle)
    const result = invoke(runtime, ['update', flag, value, id])
    expect(result.status).toBe(1)
    // runc shows all of its help on stdout.
    if (runtime.name !== 'runc') {
      expect(result.stdout).toBe('')
      expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
    }
    expect(readMemory(bundle)).toBe(before)
  })

  if (runtime.name === 'runc') return
  describeOurs(runtime, start)
})

/** What runc does not have, or does otherwise. */
function describeOurs(runtime: Runtime, start: () => Container): void {
  it('changes device rules, which runc leaves as they were', async () => {
    // What opens it without a driver is told ENODEV or ENXIO, by the rules EPERM.
    const unused = ['mknod', '/dev/unused', 'c', '10', '255']
    const open = ['open', '/dev/unused', 'r']
    const run = async (updated: boolean) => {
      const { id, stdout } = createContainer(runtime, [unused, open], (config) => {
        const { capabilities } = config.process
        capabilities?.bounding?.push('CAP_MKNOD')
        capabilities?.effective?.push('CAP_MKNOD')
        capabilities?.permitted?.push('CAP_MKNOD')
        config.linux.resources = { devices: [{ allow: false }] }
      })
      const rule = { allow: true, type: 'c', major: 10, minor: 255, access: 'rwm' }
      const input = JSON.stringify({ devices: [{ allow: false }, rule] })
      if (updated)
        expect(invoke(runtime, ['update', '-r', '-', id], { input })).toMatchObject(QUIET)
      invoke(runtime, ['start', id])
      await waitForStatus(runtime, id, 'stopped')
      return (JSON.parse(stdout()) as string[])[1]
    }
    expect(await run(false)).toBe('EPERM')
    expect(await run(true)).toMatch(/^(ENXIO|ENODEV)$/)
  })

  it('flags come on top of --resources', () => {
    const { id, bundle } = start()
    const input = JSON.stringify({ memory: { limit: 48 << 20 }, pids: { limit: 21 } })
    const args = ['update', '-r', '-', '--pids-limit', '22', '--cpu-share', '300', id]
    expect(invoke(runtime, args, { input })).toMatchObject(QUIET)
    expect(read(bundle, 'pids.max') ?? '22').toBe('22')
    expect(readMemory(bundle) ?? '50331648').toBe('50331648')
    expect(read(bundle, 'cpu.shares', 'none') ?? '300').toBe('300')
  })

  it('everything that is wrong with the file is told, with its place', () => {
    const { id } = start()
    const input = '{\n  "pids": { "limit": "x" },\n  "memory": { "swappiness": 200 }\n}'
    const { status, stderr } = invoke(runtime, ['update', '-r', '-', id], { input })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /stdin:2:\d+: \/pids\/limit: expected .*; stdin:3:\d+: \/memory\/swappiness: /,
    )
  })

  it('a value that is out of range is refused by the name of its field', () => {
    const { id } = start()
    const weight = invoke(runtime, ['update', '--blkio-weight', '5', id])
    expect(weight.stderr).toMatch(/the new limits: \/blockIO\/weight: expected 10 to 1000, found 5/)
    const idle = invoke(runtime, ['update', '--cpu-idle', '2', id])
    expect(idle.stderr).toMatch(/the new limits: \/cpu\/idle: expected/)
  })

  it('a limit that fails takes those before it back, and says what it cannot take back', () => {
    const { id, bundle } = start()
    if (read(bundle, 'cpuset.cpus') === undefined) return
    const limit = readMemory(bundle)
    const { status, stderr } = invoke(runtime, ['update', '--memory=32M', '--cpuset-cpus=9999', id])
    expect(status).toBe(1)
    expect(stderr).toMatch(/\/cpu\/cpus: write\(.*9999.*\): (EINVAL|ERANGE|EACCES)/)
    expect(stderr).not.toContain('already in force')
    expect(readMemory(bundle)).toBe(limit)
    const input = JSON.stringify({ devices: [{ allow: false }], cpu: { cpus: '9999' } })
    const devices = invoke(runtime, ['update', '-r', '-', id], { input })
    expect(devices.stderr).toMatch(/\/cpu\/cpus: write.*; already in force: \/devices/)
  })

  it('kernel memory is taken, and told to have no effect', () => {
    const { id } = start()
    const { status, stderr } = invoke(runtime, ['update', '--kernel-memory', '50M', id])
    expect(status).toBe(0)
    expect(stderr).toMatch(/level=warning msg="\/memory\/kernel: ignored/)
    const rdt = invoke(runtime, ['update', '--l3-cache-schema', 'L3:0=f', id])
    expect(rdt.stderr).toContain('--l3-cache-schema needs a host with resctrl mounted')
  })
}
