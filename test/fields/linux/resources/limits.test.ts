/** The files that each limit becomes, on hybrid and on unified hosts. */
import { describe, expect, test } from 'vitest'
import type { Resources } from '../../../../src/config/spec.ts'
import type { Contribution } from '../../../../src/fields/field.ts'
import { resources as fields } from '../../../../src/fields/linux/resources.ts'
import { planFields } from '../../../../src/fields/walk.ts'
import type { CgroupFacts } from '../../../../src/host/facts.ts'
import { HYBRID, planningOf, UNIFIED } from '../hosts.ts'

const AT = '/linux/resources'

function plan(resources: Resources, cgroup: CgroupFacts): Contribution {
  const planning = planningOf({ cgroup, linux: { resources } })
  return planFields(fields, resources, AT, planning)
}

/** `POINTER: FILE = VALUE` of each step, devices aside. */
function files(resources: Resources, cgroup: CgroupFacts): string[] {
  const { steps = [], issues } = plan(resources, cgroup)
  expect(issues).toEqual([])
  return steps.flatMap((step) => {
    if (step.kind !== 'write-cgroup-file' || step.origin.startsWith(`${AT}/devices`)) return []
    const file = `${step.hierarchy}${step.path}/${step.file}`.replace('/sys/fs/cgroup/', '')
    return [
      `${step.origin.slice(AT.length + 1)}: ${file.replace('tsrunc/web1/', '')} = ${step.value}`,
    ]
  })
}

function issues(resources: Resources, cgroup: CgroupFacts): [string, string][] {
  const found = plan(resources, cgroup).issues ?? []
  return found.map(({ pointer, message, expected }) => [
    pointer.slice(AT.length + 1),
    message ?? expected,
  ])
}

interface Case {
  readonly resources: Resources
  readonly hybrid: readonly string[]
  readonly unified: readonly string[]
}

const CASES: Record<string, Case> = {
  'a memory limit with swap': {
    resources: { memory: { limit: 64n, swap: 100n, reservation: 32n } },
    hybrid: [
      'memory/limit: memory/memory.limit_in_bytes = 64',
      'memory/swap: memory/memory.memsw.limit_in_bytes = 100',
      'memory/reservation: memory/memory.soft_limit_in_bytes = 32',
    ],
    unified: [
      'memory/swap: memory.swap.max = 36',
      'memory/limit: memory.max = 64',
      'memory/reservation: memory.low = 32',
    ],
  },
  'swap as large as memory: none': {
    resources: { memory: { limit: 64n, swap: 64n } },
    hybrid: [
      'memory/limit: memory/memory.limit_in_bytes = 64',
      'memory/swap: memory/memory.memsw.limit_in_bytes = 64',
    ],
    unified: ['memory/swap: memory.swap.max = 0', 'memory/limit: memory.max = 64'],
  },
  'unlimited memory, so unlimited swap': {
    resources: { memory: { limit: -1n } },
    hybrid: [
      'memory/limit: memory/memory.memsw.limit_in_bytes = -1',
      'memory/limit: memory/memory.limit_in_bytes = -1',
    ],
    unified: ['memory/limit: memory.swap.max = max', 'memory/limit: memory.max = max'],
  },
  'unlimited swap beside a limit': {
    resources: { memory: { limit: 64n, swap: -1n } },
    hybrid: [
      'memory/swap: memory/memory.memsw.limit_in_bytes = -1',
      'memory/limit: memory/memory.limit_in_bytes = 64',
    ],
    unified: ['memory/swap: memory.swap.max = max', 'memory/limit: memory.max = 64'],
  },
  'zeros and false, which mean nothing': {
    resources: {
      memory: { limit: 0n, swap: 0n, reservation: 0n, disableOOMKiller: false, kernel: 0n },
      cpu: { shares: 0n, quota: 0n, period: 0n, cpus: '', mems: '', realtimeRuntime: 0n },
      blockIO: { weight: 0, weightDevice: [] },
      hugepageLimits: [],
      network: { classID: 0, priorities: [] },
      rdma: {},
      unified: {},
    },
    hybrid: [],
    unified: [],
  },
  'cpu time': {
    resources: { cpu: { shares: 1024n, quota: 50000n, period: 100000n, burst: 1000n } },
    hybrid: [
      'cpu/shares: cpu/cpu.shares = 1024',
      'cpu/period: cpu/cpu.cfs_period_us = 100000',
      'cpu/quota: cpu/cpu.cfs_quota_us = 50000',
      'cpu/burst: cpu/cpu.cfs_burst_us = 1000',
    ],
    unified: [
      'cpu/shares: cpu.weight = 100',
      'cpu/quota: cpu.max = 50000 100000',
      'cpu/burst: cpu.max.burst = 1000',
    ],
  },
  'a cpu quota alone, and a period alone': {
    resources: { cpu: { quota: 50000n } },
    hybrid: ['cpu/quota: cpu/cpu.cfs_quota_us = 50000'],
    unified: ['cpu/quota: cpu.max = 50000 100000'],
  },
  'a period alone': {
    resources: { cpu: { period: 20000n } },
    hybrid: ['cpu/period: cpu/cpu.cfs_period_us = 20000'],
    unified: ['cpu/period: cpu.max = max 20000'],
  },
  'an unlimited quota': {
    resources: { cpu: { quota: -1n } },
    hybrid: ['cpu/quota: cpu/cpu.cfs_quota_us = -1'],
    unified: ['cpu/quota: cpu.max = max 100000'],
  },
  'an idle group and a cpuset': {
    resources: { cpu: { idle: 1n, cpus: '0-1', mems: '0' } },
    hybrid: [
      'cpu/idle: cpu/cpu.idle = 1',
      'cpu/cpus: cpuset/cpuset.cpus = 0-1',
      'cpu/mems: cpuset/cpuset.mems = 0',
    ],
    unified: ['cpu/idle: cpu.idle = 1', 'cpu/cpus: cpuset.cpus = 0-1', 'cpu/mems: cpuset.mems = 0'],
  },
  'a limit of tasks': {
    resources: { pids: { limit: 50n } },
    hybrid: ['pids/limit: pids/pids.max = 50'],
    unified: ['pids/limit: pids.max = 50'],
  },
  'no limit of tasks': {
    resources: { pids: { limit: -1n } },
    hybrid: ['pids/limit: pids/pids.max = max'],
    unified: ['pids/limit: pids.max = max'],
  },
  'no tasks at all': {
    resources: { pids: { limit: 0n } },
    hybrid: ['pids/limit: pids/pids.max = 1'],
    unified: ['pids/limit: pids.max = 1'],
  },
  'block I/O': {
    resources: {
      blockIO: {
        weight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 10 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600n }],
        throttleWriteBpsDevice: [{ major: 8, minor: 16, rate: 0n }],
        throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 1n }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 18446744073709551615n }],
      },
    },
    hybrid: [
      'blockIO/weight: blkio/blkio.weight = 500',
      'blockIO/weightDevice/0: blkio/blkio.weight_device = 8:0 10',
      'blockIO/throttleReadBpsDevice/0: blkio/blkio.throttle.read_bps_device = 8:0 600',
      'blockIO/throttleWriteBpsDevice/0: blkio/blkio.throttle.write_bps_device = 8:16 0',
      'blockIO/throttleReadIOPSDevice/0: blkio/blkio.throttle.read_iops_device = 8:0 1',
      'blockIO/throttleWriteIOPSDevice/0: blkio/blkio.throttle.write_iops_device = 8:0 18446744073709551615',
    ],
    unified: [
      'blockIO/weight: io.bfq.weight = 500',
      'blockIO/weightDevice/0: io.bfq.weight = 8:0 10',
      'blockIO/throttleReadBpsDevice/0: io.max = 8:0 rbps=600',
      'blockIO/throttleWriteBpsDevice/0: io.max = 8:16 wbps=max',
      'blockIO/throttleReadIOPSDevice/0: io.max = 8:0 riops=1',
      'blockIO/throttleWriteIOPSDevice/0: io.max = 8:0 wiops=18446744073709551615',
    ],
  },
  'huge pages, by v2 where v1 has no such controller': {
    resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4194304n }] },
    hybrid: [
      'hugepageLimits/0: unified/hugetlb.2MB.max = 4194304',
      'hugepageLimits/0: unified/hugetlb.2MB.rsvd.max = 4194304',
    ],
    unified: [
      'hugepageLimits/0: hugetlb.2MB.max = 4194304',
      'hugepageLimits/0: hugetlb.2MB.rsvd.max = 4194304',
    ],
  },
}

describe.each(Object.entries(CASES))('%s', (_, { resources, hybrid, unified }) => {
  test('on a hybrid host', () => expect(files(resources, HYBRID)).toEqual(hybrid))
  test('on a unified host', () => expect(files(resources, UNIFIED)).toEqual(unified))
})

test.each([
  [1n, '1'],
  [2n, '1'],
  [3n, '2'],
  [512n, '59'],
  [1024n, '100'],
  [4096n, '303'],
  [200000n, '7899'],
  [262144n, '10000'],
  [9999999n, '10000'],
])('%d shares are a weight of %s', (shares, weight) => {
  expect(files({ cpu: { shares } }, UNIFIED)).toEqual([`cpu/shares: cpu.weight = ${weight}`])
})

test.each([
  [10, 1],
  [500, 4950],
  [1000, 10000],
])('an I/O weight of %d is %d where io.weight must do', (weight, expected) => {
  const { steps = [] } = plan({ blockIO: { weight } }, UNIFIED)
  expect(steps.map((step) => 'missing' in step && step.missing)).toContainEqual({
    file: 'io.weight',
    value: `${expected}`,
  })
})

test('files of v2 by name, one line a write', () => {
  const unified = { 'memory.high': '500', 'io.max': '8:0 rbps=1\n8:16 wbps=2\n' }
  expect(files({ memory: { limit: 9n }, unified }, UNIFIED)).toEqual([
    'memory/limit: memory.max = 9',
    'unified/memory.high: memory.high = 500',
    'unified/io.max: io.max = 8:0 rbps=1',
    'unified/io.max: io.max = 8:16 wbps=2',
  ])
})

test('what only v1 has', () => {
  const resources: Resources = {
    memory: { limit: 1n, swappiness: 0n, disableOOMKiller: true },
    cpu: { realtimePeriod: 2n, realtimeRuntime: 1n },
    blockIO: { leafWeight: 100, weightDevice: [{ major: 1, minor: 2, leafWeight: 30 }] },
    network: { classID: 7, priorities: [{ name: 'eth0', priority: 5 }] },
  }
  expect(issues(resources, UNIFIED).map(([pointer]) => pointer)).toEqual([
    'memory/swappiness',
    'cpu/realtimePeriod',
    'cpu/realtimeRuntime',
    'blockIO/leafWeight',
    'blockIO/weightDevice/0/leafWeight',
    'network/classID',
    'network/priorities',
  ])
  expect(plan(resources, UNIFIED).warnings).toEqual([
    '/linux/resources/memory/disableOOMKiller: without effect, cgroup v2 has no such switch',
  ])
  expect(files(resources, HYBRID)).toEqual([
    'memory/limit: memory/memory.limit_in_bytes = 1',
    'memory/disableOOMKiller: memory/memory.oom_control = 1',
    'memory/swappiness: memory/memory.swappiness = 0',
    'cpu/realtimePeriod: cpu/cpu.rt_period_us = 2',
    'cpu/realtimeRuntime: cpu/cpu.rt_runtime_us = 1',
    'blockIO/leafWeight: blkio/blkio.leaf_weight = 100',
    'blockIO/weightDevice/0: blkio/blkio.leaf_weight_device = 1:2 30',
    'network/classID: net_cls/net_cls.classid = 7',
    'network/priorities/0: net_prio/net_prio.ifpriomap = eth0 5',
  ])
})

describe('an error, not a limit that is silently missing', () => {
  const bare: CgroupFacts = { mode: 'hybrid', v1: HYBRID.v1.filter(isDevices), ...v2Of([]) }
  const everything: Resources = {
    memory: { limit: 1n },
    cpu: { shares: 2n, cpus: '0' },
    pids: { limit: 1n },
    blockIO: { weight: 10 },
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
    rdma: { mlx5_1: { hcaHandles: 3 } },
  }

  test('when no hierarchy has the controller', () => {
    expect(issues(everything, bare)).toEqual(
      [
        ['memory', 'memory'],
        ['cpu', 'cpu'],
        ['cpu', 'cpuset'],
        ['pids', 'pids'],
        ['blockIO', 'blkio'],
        ['hugepageLimits', 'hugetlb'],
        ['rdma', 'rdma'],
      ].map(([field, name]) => [
        field,
        expect.stringMatching(
          new RegExp(
            `^/linux/resources/${field}: the ${name} controller is not mounted on this host \\(.*CONFIG_`,
          ),
        ),
      ]),
    )
  })

  test('when v2 does not offer it', () => {
    const cgroup: CgroupFacts = { mode: 'unified', v1: [], ...v2Of(['cpu', 'pids']) }
    const [[pointer, message] = []] = issues(
      { hugepageLimits: everything.hugepageLimits ?? [] },
      cgroup,
    )
    expect(pointer).toBe('hugepageLimits')
    expect(message).toMatch(
      /the hugetlb controller is not offered .*CONFIG_CGROUP_HUGETLB; offered: cpu pids/,
    )
    expect(issues({ unified: { 'memory.high': '1' } }, cgroup)).toEqual([
      ['unified/memory.high', expect.stringContaining('the memory controller is not offered')],
    ])
  })

  test('when files of v2 are asked of a host with v1', () => {
    expect(issues({ unified: { 'memory.high': '1' } }, HYBRID)).toEqual([
      ['unified', expect.stringContaining('cgroup v2')],
    ])
  })

  test('when no devices controller and no v2 is there, even if nobody named a device', () => {
    const cgroup: CgroupFacts = { mode: 'legacy', v1: [] }
    expect(issues({}, cgroup)).toEqual([
      ['devices', expect.stringContaining('the devices controller is not mounted')],
    ])
  })

  test('when swap has no memory limit below it', () => {
    for (const cgroup of [UNIFIED, HYBRID]) {
      expect(issues({ memory: { swap: 5n } }, cgroup).map(([at]) => at)).toEqual(['memory/swap'])
    }
  })

  test('but unlimited tasks need no controller', () => {
    expect(issues({ pids: { limit: -1n } }, bare)).toEqual([])
  })
})

function isDevices({ controllers }: { readonly controllers: readonly string[] }): boolean {
  return controllers.includes('devices')
}

function v2Of(controllers: readonly string[]) {
  return { v2: { mountpoint: '/sys/fs/cgroup', controllers } }
}

test('names are not given to the kernel when they would say something else', () => {
  const network = { priorities: [{ name: 'eth0 9', priority: 1 }] }
  expect(issues({ network }, HYBRID).map(([at]) => at)).toEqual(['network/priorities/0/name'])
  expect(issues({ rdma: { 'a b/c': { hcaObjects: 1 } } }, UNIFIED).map(([at]) => at)).toEqual([
    'rdma/a b~1c',
  ])
})

test('shares that v1 would clamp are refused there, as by runc', () => {
  expect(issues({ cpu: { shares: 1n } }, HYBRID)).toEqual([
    ['cpu/shares', 'a number from 2 to 262144'],
  ])
})

describe('update, over limits that are in force', () => {
  function updates(resources: Resources, cgroup: CgroupFacts, current: Record<string, string>) {
    const limits = { path: '/a', current: new Map(Object.entries(current)) }
    const planning = { ...planningOf({ cgroup, linux: { resources } }), limits }
    const { steps = [], issues = [] } = planFields(fields, resources, AT, planning)
    return [
      ...steps.map((step) =>
        step.kind === 'write-cgroup-file' ? `${step.file} = ${step.value}` : step.kind,
      ),
      ...issues.map(({ pointer }) => pointer),
    ]
  }

  test('changes nothing that is not named, devices neither', () => {
    expect(updates({}, UNIFIED, {})).toEqual([])
    expect(updates({ devices: [{ allow: true }] }, UNIFIED, {})).toEqual(['attach-device-filter'])
  })

  test('keeps the quota beside a new period, and the period beside a new quota', () => {
    const current = { 'cpu.max': '5000 20000' }
    expect(updates({ cpu: { quota: 7000n } }, UNIFIED, current)).toEqual(['cpu.max = 7000 20000'])
    expect(updates({ cpu: { period: 9000n } }, UNIFIED, current)).toEqual(['cpu.max = 5000 9000'])
  })

  test('an idle group is no more before it gets a weight', () => {
    const cpu = { idle: 0n, shares: 1024n }
    expect(updates({ cpu }, UNIFIED, {})).toEqual(['cpu.idle = 0', 'cpu.weight = 100'])
    expect(updates({ cpu }, HYBRID, {})).toEqual(['cpu.idle = 0', 'cpu.shares = 1024'])
  })

  test('v1 memory and memsw in the order that never has memsw below', () => {
    const memory = { limit: 50n, swap: 90n }
    const limit = 'memory.limit_in_bytes = 50'
    const swap = 'memory.memsw.limit_in_bytes = 90'
    const file = 'memory.limit_in_bytes'
    expect(updates({ memory }, HYBRID, { [file]: '40' })).toEqual([swap, limit])
    expect(updates({ memory }, HYBRID, { [file]: '60' })).toEqual([limit, swap])
  })

  test('swap alone is counted beside the limit in force', () => {
    const memory = { swap: 90n }
    expect(updates({ memory }, UNIFIED, { 'memory.max': '50' })).toEqual(['memory.swap.max = 40'])
    expect(updates({ memory }, UNIFIED, { 'memory.max': '95' })).toEqual([`${AT}/memory/swap`])
  })

  test('checkBeforeUpdate looks at what is used', () => {
    const memory = { limit: 50n, checkBeforeUpdate: true }
    expect(updates({ memory }, UNIFIED, { 'memory.current': '51' })).toEqual([`${AT}/memory/limit`])
    expect(updates({ memory }, UNIFIED, { 'memory.current': '50' })).toEqual(['memory.max = 50'])
  })
})
