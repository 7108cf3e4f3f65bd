import type { Cpu } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { LimitFacts } from '../../../host/facts.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { merge } from '../../walk.ts'
import { issueOnlyV1, planController, type Setting, type Wish } from './controller.ts'
import { planCpuset } from './cpuset.ts'

/** Two controllers: `cpu` shares out time, `cpuset` pins to processors and memory nodes. */
export const cpu: Field<Cpu> = {
  plan: (cpu, at, planning) => merge([planTime(cpu, at, planning), planCpuset(cpu, at, planning)]),
}

function planTime(cpu: Cpu, at: Pointer, planning: Planning): Contribution {
  return planController('cpu', at, planning, (version) =>
    version === 1 ? wishV1(cpu, at) : wishV2(cpu, at, planning.limits),
  )
}

/** 0 is "not set" for all but burst and idle, as in runc. */
function wishV1(cpu: Cpu, at: Pointer): Wish {
  const { shares = 0n, period = 0n, quota = 0n, realtimePeriod = 0n, realtimeRuntime = 0n } = cpu
  const settings: Setting[] = []
  const idle = { field: 'idle', file: 'cpu.idle', value: `${cpu.idle}` }
  // The kernel refuses shares for an idle group.
  if (cpu.idle === 0n) settings.push(idle)
  if (shares !== 0n) settings.push({ field: 'shares', file: 'cpu.shares', value: `${shares}` })
  // The quota is checked against the period, the burst against the quota.
  if (period !== 0n) {
    settings.push({ field: 'period', file: 'cpu.cfs_period_us', value: `${period}` })
  }
  if (quota !== 0n) {
    settings.push({ field: 'quota', file: 'cpu.cfs_quota_us', value: `${quota}` })
  }
  if (cpu.burst !== undefined) {
    settings.push({ field: 'burst', file: 'cpu.cfs_burst_us', value: `${cpu.burst}` })
  }
  if (cpu.idle !== undefined && cpu.idle !== 0n) settings.push(idle)
  const realtime = { hint: 'realtime limits need a kernel with CONFIG_RT_GROUP_SCHED' }
  if (realtimePeriod !== 0n) {
    const file = 'cpu.rt_period_us'
    settings.push({ field: 'realtimePeriod', file, value: `${realtimePeriod}`, ...realtime })
  }
  if (realtimeRuntime !== 0n) {
    const file = 'cpu.rt_runtime_us'
    settings.push({ field: 'realtimeRuntime', file, value: `${realtimeRuntime}`, ...realtime })
  }
  return { settings, issues: checkShares(shares, at) }
}

/** The kernel clamps silently; runc reads the value back and fails. */
function checkShares(shares: bigint, at: Pointer): Issue[] {
  if (shares === 0n || (shares >= 2n && shares <= 262144n)) return []
  return [{ pointer: `${at}/shares`, expected: 'a number from 2 to 262144', found: `${shares}` }]
}

function wishV2(cpu: Cpu, at: Pointer, limits?: LimitFacts): Wish {
  const { period = 0n, quota = 0n } = cpu
  const settings: Setting[] = []
  const weight = weightOfShares(cpu.shares ?? 0n)
  const idle = { field: 'idle', file: 'cpu.idle', value: `${cpu.idle}` }
  // The kernel refuses a weight for an idle group.
  if (cpu.idle === 0n) settings.push(idle)
  if (weight !== undefined) settings.push({ field: 'shares', file: 'cpu.weight', value: weight })
  if (cpu.idle !== undefined && cpu.idle !== 0n) settings.push(idle)
  if (quota !== 0n || period !== 0n) {
    const value = formatCpuMax(quota, period, limits?.current.get('cpu.max'))
    settings.push({ field: quota === 0n ? 'period' : 'quota', file: 'cpu.max', value })
  }
  if (cpu.burst !== undefined) {
    settings.push({ field: 'burst', file: 'cpu.max.burst', value: `${cpu.burst}` })
  }
  const issues = (['realtimePeriod', 'realtimeRuntime'] as const).flatMap((field) =>
    cpu[field] ? [issueOnlyV1(`${at}/${field}`, 'realtime limits')] : [],
  )
  return { settings, issues }
}

/** Quota and period; what is not configured stays, where there is something in force. */
function formatCpuMax(quota: bigint, period: bigint, current = `max ${DEFAULT_PERIOD}`): string {
  const [currentQuota = '', currentPeriod = ''] = current.split(' ')
  const time = quota === 0n ? currentQuota : quota > 0n ? `${quota}` : 'max'
  return `${time} ${period === 0n ? currentPeriod : period}`
}

/** The kernel's own, in microseconds. */
const DEFAULT_PERIOD = 100_000n

/**
 * Shares of 2…262144 to a weight of 1…10000, log-quadratic through the two defaults (1024 ↔ 100):
 * what runc, crun and youki agreed on after the linear formula had given 39 for the default.
 */
function weightOfShares(shares: bigint): string | undefined {
  if (shares === 0n) return undefined
  if (shares <= 2n) return '1'
  if (shares >= 262144n) return '10000'
  const log = Math.log2(Number(shares))
  const exponent = (log * log + 125 * log) / 612 - 7 / 34
  return `${Math.ceil(10 ** exponent)}`
}
