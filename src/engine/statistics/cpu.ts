/** CPU time, in nanoseconds. */
import type { Counters } from './counters.ts'
import { readPressure } from './pressure.ts'

/** USER_HZ is 100 on every architecture that we run on. */
const NANOSECONDS_PER_TICK = 10_000_000n
const NANOSECONDS_PER_MICROSECOND = 1000n

export function readCpu(v1: Counters, v2: Counters) {
  const isV1 = v1.text('cpuacct.usage') !== undefined
  return {
    usage: isV1 ? readUsageV1(v1) : readUsageV2(v2),
    throttling: v1.text('cpu.cfs_quota_us') === undefined ? throttleV2(v2) : throttleV1(v1),
    ...readPressure(v2.text('cpu.pressure')),
  }
}

function readUsageV1(v1: Counters) {
  const [, ...rows] = (v1.text('cpuacct.usage_all') ?? '').trim().split('\n')
  const perCpu = rows.map((row) => row.split(' ').slice(1).map(BigInt))
  const ticks = v1.table('cpuacct.stat')
  return {
    total: v1.number('cpuacct.usage'),
    percpu: perCpu.map(([user = 0n, system = 0n]) => user + system),
    percpu_kernel: perCpu.map(([, system = 0n]) => system),
    percpu_user: perCpu.map(([user = 0n]) => user),
    kernel: (ticks.get('system') ?? 0n) * NANOSECONDS_PER_TICK,
    user: (ticks.get('user') ?? 0n) * NANOSECONDS_PER_TICK,
  }
}

function readUsageV2(v2: Counters) {
  const stat = v2.table('cpu.stat')
  const time = (name: string) => (stat.get(name) ?? 0n) * NANOSECONDS_PER_MICROSECOND
  return { total: time('usage_usec'), kernel: time('system_usec'), user: time('user_usec') }
}

function throttleV1(v1: Counters) {
  const stat = v1.table('cpu.stat')
  return {
    periods: stat.get('nr_periods') ?? 0n,
    throttledPeriods: stat.get('nr_throttled') ?? 0n,
    throttledTime: stat.get('throttled_time') ?? 0n,
  }
}

function throttleV2(v2: Counters) {
  const stat = v2.table('cpu.stat')
  return {
    periods: stat.get('nr_periods') ?? 0n,
    throttledPeriods: stat.get('nr_throttled') ?? 0n,
    throttledTime: (stat.get('throttled_usec') ?? 0n) * NANOSECONDS_PER_MICROSECOND,
  }
}
