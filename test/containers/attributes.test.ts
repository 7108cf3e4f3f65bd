import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import { describeContainers, probe, type Runtime, runContainer } from './rig.ts'

const attributes = (runtime: Runtime, patch: (config: Config) => void) =>
  probe(runtime, [['attributes']], patch)[0]

/** runc 1.1 has none of these fields, and takes no notice of them. */
function describeNewFields(title: string, define: (runtime: Runtime) => void): void {
  describeContainers(title, (runtime) => {
    if (runtime.name === 'runc') it.skip('skipped: runc 1.1 does not know the field', () => {})
    else define(runtime)
  })
}

/** Where the kernel schedules real time by cgroup v1, a new cgroup has none of it. */
function giveRealTime(config: Config): void {
  if (!existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')) return
  config.linux.cgroupsPath = `/tsrunc-test-rt-${process.pid}`
  config.linux.resources.cpu = { realtimePeriod: 1_000_000n, realtimeRuntime: 10_000n }
}

/** Where it does so by cgroup v2, only the topmost cgroup has any. */
const realTime = spawnSync('chrt', ['--fifo', '3', 'true'], { encoding: 'utf8' })
const whyNoRealTime = realTime.status === 0 ? '' : ` (skipped: ${realTime.stderr.trim()})`

describeNewFields('process.scheduler', (runtime) => {
  it('a nice value', () => {
    const seen = attributes(runtime, (config) => {
      config.process.scheduler = { policy: 'SCHED_OTHER', nice: 7 }
    })
    expect(seen).toMatchObject({ policy: 0, nice: 7 })
  })

  it.each([
    ['SCHED_BATCH', 3],
    ['SCHED_IDLE', 5],
  ] as const)('%s', (policy, number) => {
    const seen = attributes(runtime, (config) => {
      config.process.scheduler = { policy }
    })
    expect(seen).toMatchObject({ policy: number })
  })

  it.skipIf(whyNoRealTime !== '').each([
    ['SCHED_FIFO', 1],
    ['SCHED_RR', 2],
  ] as const)(
    `%s with a priority, also for a user without rights${whyNoRealTime}`,
    (policy, number) => {
      const seen = attributes(runtime, (config) => {
        giveRealTime(config)
        config.process.user = { uid: 1000, gid: 1000 }
        config.process.scheduler = { policy, priority: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] }
      })
      expect(seen).toMatchObject({ policy: number, priority: 3, flags: 1 })
    },
  )

  it('SCHED_DEADLINE with its three times', () => {
    const times = { runtime: 1_000_000n, deadline: 20_000_000n, period: 40_000_000n }
    const seen = attributes(runtime, (config) => {
      config.process.scheduler = { policy: 'SCHED_DEADLINE', ...times }
    })
    expect(seen).toMatchObject({
      policy: 6,
      runtime: 1_000_000,
      deadline: 20_000_000,
      period: 40_000_000,
    })
  })

  it('what the kernel does not take is an error that names the field', () => {
    const { status, stderr } = runContainer(runtime, [['attributes']], (config) => {
      config.process.scheduler = { policy: 'SCHED_ISO' }
    })
    expect(status).toBe(1)
    expect(stderr).toContain('/process/scheduler: sched_setattr(0, {SCHED_ISO}, 0): EINVAL')
  })
})

describeNewFields('process.ioPriority', (runtime) => {
  it.each([
    ['IOPRIO_CLASS_RT', 1, 2],
    ['IOPRIO_CLASS_BE', 2, 7],
    ['IOPRIO_CLASS_IDLE', 3, 0],
  ] as const)('%s', (name, number, priority) => {
    const seen = attributes(runtime, (config) => {
      config.process.ioPriority = { class: name, priority }
    })
    expect(seen).toMatchObject({ ioClass: number, ioPriority: priority })
  })
})

/** User-mode Linux takes the personality, and names its machine all the same. */
const machine = spawnSync('setarch', ['linux32', 'uname', '-m'], {
  encoding: 'utf8',
}).stdout?.trim()
const whyNo32 = machine === 'x86_64' ? ' (skipped: this kernel has no machine of 32 bits)' : ''

describeNewFields('linux.personality', (runtime) => {
  it.skipIf(whyNo32 !== '')(`LINUX32 tells programs of a 32-bit machine${whyNo32}`, () => {
    const seen = attributes(runtime, (config) => {
      config.linux.personality = { domain: 'LINUX32' }
    })
    expect(seen).toMatchObject({ machine: process.arch === 'x64' ? 'i686' : 'armv8l' })
  })

  it('flags, of which the spec knows none, are a warning', () => {
    const { status, stderr } = runContainer(runtime, [['attributes']], (config) => {
      config.linux.personality = { domain: 'LINUX', flags: ['READ_IMPLIES_EXEC'] }
    })
    expect(status).toBe(0)
    expect(stderr).toContain('/linux/personality/flags/0')
  })
})

const isNuma = existsSync('/sys/devices/system/node')
const whyNoNuma = isNuma ? '' : ' (skipped: this kernel has no NUMA)'

describeNewFields('linux.memoryPolicy', (runtime) => {
  it.skipIf(!isNuma).each([
    ['MPOL_BIND', 2, ['MPOL_F_STATIC_NODES'], 1 << 15],
    ['MPOL_PREFERRED', 1, [], 0],
    ['MPOL_INTERLEAVE', 3, ['MPOL_F_RELATIVE_NODES'], 1 << 14],
  ] as const)(`%s for node 0${whyNoNuma}`, (mode, number, flags, bits) => {
    const seen = attributes(runtime, (config) => {
      config.linux.memoryPolicy = { mode, nodes: '0', flags: [...flags] }
    })
    expect(seen).toMatchObject({ memoryMode: number | bits, memoryNodes: 1 })
  })

  it.skipIf(!isNuma)(`MPOL_LOCAL has no nodes${whyNoNuma}`, () => {
    const seen = attributes(runtime, (config) => {
      config.linux.memoryPolicy = { mode: 'MPOL_LOCAL' }
    })
    expect(seen).toMatchObject({ memoryMode: 4, memoryNodes: 0 })
  })
})
