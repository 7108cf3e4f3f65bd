/** Limits of cgroup v2, read from the kernel, by both drivers. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasReference, readReference } from '../config/reference.ts'
import {
  cgroupOf,
  DRIVERS,
  type Driver,
  placed,
  readCgroup,
  whyNotUnified,
  withDriver,
} from './cgroup-drivers.ts'
import type { Config } from './config.ts'
import {
  createContainer,
  describeContainers,
  invoke,
  type Patch,
  probe,
  type Runtime,
  readState,
  runContainer,
  waitForStatus,
} from './rig.ts'

const why = whyNotUnified('memory', 'cpu', 'pids')

function limit(resources: Config['linux']['resources']): Patch {
  return (config) => void Object.assign(config.linux.resources, resources)
}

/** Of the cgroup of a created container. */
function readFiles(runtime: Runtime, driver: Driver, patch: Patch, files: readonly string[]) {
  const { pid } = createContainer(runtime, [['report']], placed(driver, patch), withDriver(driver))
  const directory = cgroupOf(pid, runtime)
  return Object.fromEntries(files.map((file) => [file, readCgroup(directory, file)]))
}

/** The numbers of the device that a filesystem is on. */
function diskOf(path: string) {
  const { dev } = statSync(path)
  return { major: dev >> 8, minor: dev & 0xff }
}

interface RdmaDevice {
  readonly name: string
  /** The numbers of the file through which programs use it. */
  readonly major: number
  readonly minor: number
}

/**
 * In software, on loopback; or why there is none. It stays, so it is made in the guest alone: when a
 * device goes, Linux (6.12) writes to the freed memory of cgroups that had limits for it.
 */
function provideRdmaDevice(): RdmaDevice | string {
  const name = 'tsrunctest'
  const add = ['rdma', 'link', 'add', name, 'type', 'rxe', 'netdev', 'lo']
  const isThere = existsSync(`/sys/class/infiniband/${name}`)
  if (!isThere && !process.env.TSRUNC_PROVIDED_PROBE) return 'this is no guest'
  for (const [command, ...args] of isThere ? [] : ([['modprobe', 'rdma_rxe'], add] as const)) {
    const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
    if (status !== 0) return error?.message ?? stderr.trim()
  }
  const all = '/sys/class/infiniband_verbs'
  const file = readdirSync(all).find(
    (file) => file.startsWith('uverbs') && readCgroup(join(all, file), 'ibdev') === name,
  )
  const [major = 0, minor = 0] = readCgroup(join(all, file ?? ''), 'dev')
    .split(':')
    .map(Number)
  return { name, major, minor }
}

function defineLimits(runtime: Runtime, driver: Driver): void {
  it('memory: limit, reservation, swap', () => {
    const patch = limit({
      memory: { limit: 64n << 20n, reservation: 32n << 20n, swap: 96n << 20n },
    })
    const seen = readFiles(runtime, driver, patch, ['memory.max', 'memory.low', 'memory.swap.max'])
    expect(seen).toEqual({
      'memory.max': String(64 << 20),
      'memory.low': String(32 << 20),
      'memory.swap.max': String(32 << 20),
    })
  })

  // runc 1.1 and crun before 1.23 have the linear formula, in which 1024 shares are 39.
  it('cpu: shares by the log-quadratic formula, quota, period', () => {
    const patch = limit({
      cpu: { shares: 1024n, quota: 30000n, period: 50000n },
    })
    const seen = readFiles(runtime, driver, patch, ['cpu.max', 'cpu.weight'])
    const weight = runtime.name === 'tsrunc' ? '100' : '39'
    expect(seen).toEqual({ 'cpu.max': '30000 50000', 'cpu.weight': weight })
  })

  // runc 1.1 does not know burst; crun 1.21 does not set it from the config.
  it.skipIf(runtime.name !== 'tsrunc')('cpu: burst, and a quota that is no whole percent', () => {
    const patch = limit({
      cpu: { quota: 33333n, period: 100000n, burst: 3000n },
    })
    const seen = readFiles(runtime, driver, patch, ['cpu.max', 'cpu.max.burst'])
    expect(seen).toEqual({ 'cpu.max': '33333 100000', 'cpu.max.burst': '3000' })
  })

  it.skipIf(runtime.name === 'runc')('cpu: idle', () => {
    const patch = limit({
      cpu: { idle: 1n },
    })
    expect(readFiles(runtime, driver, patch, ['cpu.idle'])).toEqual({ 'cpu.idle': '1' })
  })

  it('pids, and files by name', () => {
    const patch = limit({
      pids: { limit: 33n },
      unified: { 'memory.high': '50331648', 'memory.min': '4096' },
    })
    const seen = readFiles(runtime, driver, patch, ['pids.max', 'memory.high', 'memory.min'])
    expect(seen).toEqual({ 'pids.max': '33', 'memory.high': '50331648', 'memory.min': '4096' })
  })

  const whyNoDisk = whyNotUnified('io')

  it.skipIf(whyNoDisk !== '')(`io: what a disk does for the container${whyNoDisk}`, () => {
    const disk = diskOf('/')
    const patch = limit({
      blockIO: {
        throttleReadBpsDevice: [{ ...disk, rate: 1n << 20n }],
        throttleWriteIOPSDevice: [{ ...disk, rate: 100n }],
      },
    })
    const seen = readFiles(runtime, driver, patch, ['io.max'])
    expect(seen).toEqual({
      'io.max': `${disk.major}:${disk.minor} rbps=1048576 wbps=max riops=max wiops=100`,
    })
  })

  it.skipIf(whyNoDisk !== '')(`io: weight, where the kernel has BFQ${whyNoDisk}`, ({ skip }) => {
    spawnSync('modprobe', ['bfq'])
    const patch = limit({ blockIO: { weight: 500 } })
    const throttle = { ...diskOf('/'), rate: 1n << 20n }
    const other = limit({ blockIO: { throttleReadBpsDevice: [throttle] } })
    const { pid } = createContainer(
      runtime,
      [['report']],
      placed(driver, other),
      withDriver(driver),
    )
    const hasWeight = existsSync(join(cgroupOf(pid, runtime), 'io.bfq.weight'))
    skip(!hasWeight, 'this kernel has no io.bfq.weight; npm run test:guest -- --full has it')
    const seen = readFiles(runtime, driver, patch, ['io.bfq.weight'])
    expect(seen['io.bfq.weight']).toMatch(/^(default )?500$/)
  })

  const whyNoCpuset = whyNotUnified('cpuset')

  it.skipIf(whyNoCpuset !== '')(`cpuset: processors and nodes of memory${whyNoCpuset}`, () => {
    const patch = limit({ cpu: { cpus: '0', mems: '0' } })
    const seen = readFiles(runtime, driver, patch, ['cpuset.cpus', 'cpuset.mems'])
    expect(seen).toEqual({ 'cpuset.cpus': '0', 'cpuset.mems': '0' })
  })

  const whyNoHugetlb = whyNotUnified('hugetlb')

  it.skipIf(whyNoHugetlb !== '')(`hugetlb: use and reservation${whyNoHugetlb}`, () => {
    const patch = limit({ hugepageLimits: [{ pageSize: '2MB', limit: 4n << 20n }] })
    const files = ['hugetlb.2MB.max', 'hugetlb.2MB.rsvd.max']
    expect(readFiles(runtime, driver, patch, files)).toEqual({
      'hugetlb.2MB.max': String(4 << 20),
      'hugetlb.2MB.rsvd.max': String(4 << 20),
    })
  })

  const whyNoRdma =
    runtime.name === 'crun' ? ' (skipped: crun 1.21 passes over it)' : whyNotUnified('rdma')

  it.skipIf(whyNoRdma !== '')(`rdma: contexts and objects of a device${whyNoRdma}`, ({ skip }) => {
    const device = provideRdmaDevice()
    if (typeof device === 'string') {
      return skip(
        `no RDMA device: ${device}; npm run test:guest -- --full has rdma_rxe to make one`,
      )
    }
    const { name, major, minor } = device
    const only = limit({ rdma: { [name]: { hcaHandles: 2 } } })
    const seen = readFiles(runtime, driver, only, ['rdma.max'])
    expect(seen['rdma.max']).toContain(`${name} hca_handle=2 hca_object=max`)
    const file = { path: '/dev/uverbs', type: 'c', major, minor, fileMode: 0o666 } as const
    const both = placed(driver, (config) => {
      config.linux.devices = [file]
      config.linux.resources = {
        devices: [{ allow: true, type: 'c', major, minor, access: 'rw' }],
        rdma: { [name]: { hcaHandles: 2, hcaObjects: 5 } },
      }
    })
    const opened = Array.from({ length: 3 }, () => ['verbs', file.path])
    expect(probe(runtime, opened, both, withDriver(driver))).toEqual([5, 0, 'EAGAIN'])
    if (runtime.name !== 'tsrunc') return
    const missing = placed(driver, limit({ rdma: { nothing: { hcaHandles: 2 } } }))
    const { stderr } = runContainer(runtime, [['report']], missing, withDriver(driver))
    expect(stderr).toMatch(/resources\/rdma\/nothing: .*ENODEV .*no RDMA device of that name/)
  })

  it('a process that takes more memory is killed', () => {
    const patch = limit({
      memory: { limit: 32n << 20n, swap: 32n << 20n },
    })
    const operations = [
      ['memory', '8'],
      ['memory', '64'],
    ]
    const seen = probe(runtime, operations, placed(driver, patch), withDriver(driver))
    expect(seen).toEqual(['ok', 'killed by 9'])
  })

  it('a fork bomb ends at the limit of tasks', () => {
    const patch = limit({
      pids: { limit: 8n },
    })
    const [made] = probe(runtime, [['fork', '50']], placed(driver, patch), withDriver(driver))
    expect(made).toBe(7)
  })

  it('a device that no rule allows cannot be opened', () => {
    const kmsg = { path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o666 } as const
    const open = [
      // Not to be read: that takes CAP_SYSLOG where kernel.dmesg_restrict is set.
      ['open', '/dev/kmsg', 'w'],
      ['open', '/dev/null', 'rw'],
    ]
    const run = (rules: NonNullable<Config['linux']['resources']['devices']>) =>
      probe(
        runtime,
        open,
        placed(driver, (config) => {
          config.linux.devices = [kmsg]
          config.linux.resources.devices = rules
        }),
        withDriver(driver),
      )
    const nothing = { allow: false, access: 'rwm' }
    expect(run([nothing])).toEqual(['EPERM', 'ok'])
    const allowed = { allow: true, type: 'c', major: 1, minor: 11, access: 'w' } as const
    expect(run([nothing, allowed])).toEqual(['ok', 'ok'])
  })

  it('is paused, resumed, updated, killed and deleted', async () => {
    const options = withDriver(driver)
    const operations = [['sleep', '100000']]
    const { id, pid } = createContainer(runtime, operations, placed(driver), options)
    const directory = cgroupOf(pid, runtime)
    const call = (...args: string[]) => invoke(runtime, args, options)
    expect(call('start', id)).toMatchObject({ status: 0, stderr: '' })
    expect(call('pause', id)).toMatchObject({ status: 0, stderr: '' })
    expect(readState(runtime, id).status).toBe('paused')
    expect(readCgroup(directory, 'cgroup.events')).toContain('frozen 1')
    expect(call('resume', id)).toMatchObject({ status: 0, stderr: '' })
    expect(readState(runtime, id).status).toBe('running')
    const update = call('update', '--memory', '50331648', '--pids-limit', '21', id)
    expect(update).toMatchObject({ status: 0, stderr: '' })
    expect(readCgroup(directory, 'memory.max')).toBe('50331648')
    expect(readCgroup(directory, 'pids.max')).toBe('21')
    expect(call('kill', id, 'KILL').status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(call('delete', id)).toMatchObject({ status: 0, stderr: '' })
    expect(existsSync(directory)).toBe(false)
  })
}

const [example] = hasReference
  ? readReference('.').filter(({ name }) => name === 'user-example-config.json')
  : []

/** A user's config: memory 512 MB, 1024 shares, one CPU. Here is what it says, should it be absent. */
const EXAMPLE =
  example?.text ??
  '{"memory":{"limit":536870912},"cpu":{"shares":1024,"quota":100000,"period":100000}}'

function defineExample(runtime: Runtime, driver: Driver): void {
  const patch: Patch = (config) => {
    const parsed = JSON.parse(EXAMPLE) as Config
    const { memory, cpu } = parsed.linux?.resources ?? (parsed as Config['linux']['resources'])
    config.linux.resources = { ...(memory && { memory }), ...(cpu && { cpu }) }
    config.linux.namespaces.push({ type: 'cgroup' })
  }

  it("a user's example: its limits are in force", () => {
    const files = ['memory.max', 'cpu.max', 'cpu.weight']
    expect(readFiles(runtime, driver, patch, files)).toEqual({
      'memory.max': '536870912',
      'cpu.max': '100000 100000',
      'cpu.weight': runtime.name === 'tsrunc' ? '100' : '39',
    })
  })

  it("a user's example: a memory hog is stopped", () => {
    const operations = [
      ['memory', '64'],
      ['memory', '640'],
    ]
    // Touching that many pages takes its time where there is no MMU.
    const options = withDriver(driver, { timeout: 110_000 })
    const seen = probe(runtime, operations, placed(driver, patch), options)
    expect(seen).toEqual(['ok', 'killed by 9'])
  })
}

describeContainers('linux.resources on cgroup v2', (runtime) => {
  for (const driver of DRIVERS) {
    describe.skipIf(why !== '')(`by ${driver.name}${why}`, () => {
      defineLimits(runtime, driver)
      defineExample(runtime, driver)
    })
  }

  it.skipIf(why !== '' || runtime.name !== 'tsrunc').each([
    ['cpuset', limit({ cpu: { cpus: '0' } }), '/linux/resources/cpu'],
    [
      'hugetlb',
      limit({ hugepageLimits: [{ pageSize: '2MB', limit: 0n }] }),
      '/linux/resources/hugepageLimits',
    ],
    ['rdma', limit({ rdma: { mlx5_1: { hcaHandles: 1 } } }), '/linux/resources/rdma'],
    ['memory', limit({ memory: { swappiness: 1n } }), 'swappiness'],
    ['net_cls', limit({ network: { classID: 1 } }), 'classID'],
  ] as const)(
    'a limit of %s that this host cannot give names what would',
    (controller, patch, at) => {
      if (whyNotUnified(controller) === '' && !['memory', 'net_cls'].includes(controller)) return
      const { status, stderr } = runContainer(runtime, [['report']], patch)
      expect(status).toBe(1)
      expect(stderr).toContain(at)
      expect(stderr).toMatch(/needs? (a kernel with CONFIG_|cgroup v1)/)
    },
  )

  it.skipIf(why !== '')('what the container sees of its cgroup', () => {
    const mount = (config: Config, ...options: string[]) => {
      const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' }
      config.mounts.push({ ...cgroup, options: ['nosuid', 'noexec', 'nodev', ...options] })
    }
    const look = [
      ['write', '/sys/fs/cgroup/pids.max', '100'],
      ['read', '/proc/self/cgroup'],
    ]
    const withNamespace = (...options: string[]) =>
      probe(runtime, look, (config) => {
        config.linux.namespaces.push({ type: 'cgroup' })
        mount(config, ...options)
      })
    expect(withNamespace('ro')).toEqual(['EROFS', '0::/\n'])
    // The limits of its own root belong to the host: `nsdelegate`.
    const [denied] = withNamespace('rw')
    expect(['EPERM', 'ok']).toContain(denied)
    // runc shows the whole hierarchy of the host there.
    if (runtime.name === 'runc') return
    const [readOnly, path] = probe(runtime, look, (config) => mount(config, 'ro'))
    expect(readOnly).toBe('EROFS')
    expect(path).toMatch(/^0::\/.+bundle-/)
    const [procs] = probe(runtime, [['read', '/sys/fs/cgroup/cgroup.procs']], (config) =>
      mount(config, 'ro'),
    )
    expect(procs).toBe('1\n')
  })

  it.skipIf(why !== '')('controllers are enabled along the path, and not in the cgroup', () => {
    const { pid } = createContainer(runtime, [['report']])
    const directory = cgroupOf(pid, runtime)
    const enabled = readCgroup(join(directory, '..'), 'cgroup.subtree_control')
    expect(enabled).toContain('memory')
    expect(readCgroup(directory, 'cgroup.subtree_control')).toBe('')
    expect(readCgroup(directory, 'cgroup.procs')).toBe(String(pid))
  })
})
