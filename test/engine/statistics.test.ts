/** What the kernel's files say, in runc's shape: files as Linux 6.1 wrote them on cgroup v2. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { parseList } from '../../src/engine/statistics/cpuset.ts'
import { parseInterfaces } from '../../src/engine/statistics/network.ts'
import { readStatistics } from '../../src/engine/statistics.ts'
import { emptyRecord } from '../../src/state/record.ts'

function read(files: Readonly<Record<string, string>>, version: 1 | 2 = 2) {
  const hierarchy = mkdtempSync(join(tmpdir(), 'tsrunc-test-statistics-'))
  onTestFinished(() => rmSync(hierarchy, { recursive: true }))
  mkdirSync(join(hierarchy, 'web'))
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(hierarchy, 'web', name), text)
  }
  const cgroups = [{ hierarchy, path: '/web', version, missing: [] }]
  return readStatistics({ ...emptyRecord('web'), cgroups })
}

const PRESSURE = `some avg10=0.12 avg60=1.50 avg300=0.00 total=123456
full avg10=0.00 avg60=0.00 avg300=0.00 total=99
`

it('cpu of cgroup v2', () => {
  const { cpu } = read({
    'cpu.stat': `usage_usec 1234
user_usec 1000
system_usec 234
nr_periods 7
nr_throttled 3
throttled_usec 55
`,
    'cpu.pressure': PRESSURE,
  })
  expect(cpu).toEqual({
    usage: { total: 1_234_000n, kernel: 234_000n, user: 1_000_000n },
    throttling: { periods: 7n, throttledPeriods: 3n, throttledTime: 55_000n },
    psi: {
      some: { avg10: 0.12, avg60: 1.5, avg300: 0, total: 123_456n },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 99n },
    },
  })
})

it('memory of cgroup v2: swap counts with memory, as in v1', () => {
  const { memory } = read({
    'memory.stat': 'anon 4096\nfile 8192\n',
    'memory.current': '16384\n',
    'memory.peak': '20480\n',
    'memory.max': '1048576\n',
    'memory.events': 'low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\n',
    'memory.swap.current': '100\n',
    'memory.swap.max': '1000\n',
  })
  expect(memory).toMatchObject({
    cache: 8192n,
    usage: { limit: 1_048_576n, usage: 16_384n, max: 20_480n, failcnt: 5n },
    swap: { limit: 1_049_576n, usage: 16_484n },
    raw: { anon: 4096n, file: 8192n },
  })
})

it('no limit of cgroup v2 is the most that there can be', () => {
  const { memory, pids } = read({
    'memory.max': 'max\n',
    'memory.swap.max': 'max\n',
    'pids.current': '3\n',
    'pids.max': 'max\n',
  })
  expect(memory.usage.limit).toBe(2n ** 64n - 1n)
  expect(memory.swap.limit).toBe(2n ** 64n - 1n)
  expect(pids).toEqual({ current: 3n, limit: 0n })
})

it('block devices of cgroup v2', () => {
  const { blkio } = read({
    'io.stat': '8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n253:1 \n',
  })
  const entry = { major: 8, minor: 0 }
  expect(blkio).toEqual({
    ioServiceBytesRecursive: [
      { ...entry, op: 'Read', value: 4096n },
      { ...entry, op: 'Write', value: 0n },
      { ...entry, op: 'Discard', value: 0n },
    ],
    ioServicedRecursive: [
      { ...entry, op: 'Read', value: 1n },
      { ...entry, op: 'Write', value: 0n },
      { ...entry, op: 'Discard', value: 0n },
    ],
  })
})

it('block devices of cgroup v1: what BFQ counts, else what throttling counts', () => {
  const throttled = { 'blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 1\nTotal 4\n' }
  const expected = [
    { major: 8, minor: 0, op: 'Read', value: 3n },
    { major: 8, minor: 0, op: 'Write', value: 1n },
  ]
  expect(read(throttled, 1).blkio).toEqual({ ioServicedRecursive: expected })
  const both = { ...throttled, 'blkio.bfq.io_serviced_recursive': '8:0 Read 9\nTotal 9\n' }
  expect(read(both, 1).blkio).toEqual({
    ioServicedRecursive: [{ major: 8, minor: 0, op: 'Read', value: 9n }],
  })
})

it('huge pages by size, of either version', () => {
  const v2 = { 'hugetlb.2MB.current': '2097152\n', 'hugetlb.2MB.events': 'max 4\n' }
  expect(read(v2).hugetlb).toEqual({ '2MB': { usage: 2_097_152n, failcnt: 4n } })
  const v1 = {
    'hugetlb.1GB.usage_in_bytes': '0\n',
    'hugetlb.1GB.max_usage_in_bytes': '5\n',
    'hugetlb.1GB.failcnt': '0\n',
  }
  expect(read(v1, 1).hugetlb).toEqual({ '1GB': { usage: 0n, max: 5n, failcnt: 0n } })
})

it('cpuset of cgroup v2', () => {
  const files = { 'cpuset.cpus.effective': '0-2,7\n', 'cpuset.mems.effective': '0\n' }
  expect(read(files).cpuset).toEqual({ cpus: [0, 1, 2, 7], mems: [0] })
})

it('a container without cgroups, or whose cgroups are gone, has counted nothing', () => {
  const cgroups = [{ hierarchy: '/no', path: '/such', version: 2 as const, missing: [] }]
  const { cpu, pids } = readStatistics({ ...emptyRecord('web'), cgroups })
  expect(cpu.usage.total).toBe(0n)
  expect(pids.current).toBe(0n)
})

it.each([
  ['', []],
  ['3', [3]],
  ['0-1,4', [0, 1, 4]],
] as const)('the list %j', (text, expected) => {
  expect(parseList(text)).toEqual(expected)
})

it('interfaces but lo', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:       9       9    0    0    0     0          0         0        9       9    0    0    0     0       0          0
  eth0:    3193      29    1    2    0     0          0         0     4000      30    3    4    0     0       0          0
`
  expect(parseInterfaces(text)).toEqual([
    {
      Name: 'eth0',
      RxBytes: 3193n,
      RxPackets: 29n,
      RxErrors: 1n,
      RxDropped: 2n,
      TxBytes: 4000n,
      TxPackets: 30n,
      TxErrors: 3n,
      TxDropped: 4n,
    },
  ])
})
