import type { Memory } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { LimitFacts } from '../../../host/facts.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import {
  type CgroupVersion,
  issueOnlyV1,
  planController,
  type Setting,
  type Wish,
} from './controller.ts'

export const memory: Field<Memory> = { plan: planMemory }

/** `useHierarchy` is what v2 and v1 of every supported kernel do anyway. */
function planMemory(memory: Memory, at: Pointer, planning: Planning): Contribution {
  return planController('memory', at, planning, (version) => {
    const { limits } = planning
    const wish = version === 1 ? wishV1(memory, at, limits) : wishV2(memory, at, limits)
    const issues = [...(wish.issues ?? []), ...checkUsage(memory, at, version, limits)]
    const warnings = [...(wish.warnings ?? []), ...warnOfKernelMemory(memory, at)]
    return { ...wish, issues, warnings }
  })
}

function wishV1(memory: Memory, at: Pointer, limits?: LimitFacts): Wish {
  const settings: Setting[] = []
  const { limit = 0n, swap = 0n, reservation = 0n } = memory
  const limitSetting = { field: 'limit', file: 'memory.limit_in_bytes', value: `${limit}` }
  const swapSetting = { field: 'swap', file: 'memory.memsw.limit_in_bytes', value: `${swap}` }
  // memsw may never be below the limit. A new cgroup has both unlimited, so the limit goes first;
  // memsw does where `update` raises both, and unlimited always, for a cgroup that was there before
  // and has a low one. Without a word about swap, unlimited memory means unlimited swap.
  if (swap === -1n || (limit === -1n && swap === 0n)) {
    const field = swap === 0n ? 'limit' : 'swap'
    settings.push({ ...swapSetting, field, value: '-1', missing: 'skip' })
  }
  const isRaised = limit > BigInt(limits?.current.get('memory.limit_in_bytes') ?? limit)
  const both = [
    ...(limit !== 0n ? [limitSetting] : []),
    ...(swap > 0n ? [{ ...swapSetting, hint: SWAP_HINT }] : []),
  ]
  settings.push(...(isRaised ? both.toReversed() : both))
  if (reservation !== 0n) {
    const file = 'memory.soft_limit_in_bytes'
    settings.push({ field: 'reservation', file, value: `${reservation}` })
  }
  if (memory.disableOOMKiller === true) {
    settings.push({ field: 'disableOOMKiller', file: 'memory.oom_control', value: '1' })
  }
  const { swappiness } = memory
  if (swappiness !== undefined) {
    settings.push({ field: 'swappiness', file: 'memory.swappiness', value: `${swappiness}` })
  }
  const issues: Issue[] = []
  const isAlone = limits !== undefined && limit === 0n
  if (swap > 0n && !isAlone && (limit <= 0n || swap < limit)) {
    issues.push(swapBelowLimit(memory, at))
  }
  return { settings, issues }
}

const SWAP_HINT = 'limits of swap need a kernel with CONFIG_SWAP, booted with swapaccount=1'

function wishV2(memory: Memory, at: Pointer, limits?: LimitFacts): Wish {
  const settings: Setting[] = []
  const issues: Issue[] = []
  const { limit = 0n, swap = 0n, reservation = 0n } = memory
  // `update` may change swap alone, beside the limit that is in force.
  const swapOnly = swapWithoutMemory(limit === 0n ? readLimit(limits) : limit, swap)
  if (swapOnly === 'impossible') issues.push(swapBelowLimit(memory, at))
  else if (swapOnly !== undefined) {
    const field = memory.swap ? 'swap' : 'limit'
    // Without swap accounting there is nothing to forbid, and nothing to allow.
    const absent = swapOnly === 'max' || swapOnly === '0' ? { missing: 'skip' as const } : {}
    const file = 'memory.swap.max'
    settings.push({ field, file, value: swapOnly, ...absent, hint: SWAP_HINT })
  }
  if (limit !== 0n) settings.push({ field: 'limit', file: 'memory.max', value: orMax(limit) })
  if (reservation !== 0n) {
    settings.push({ field: 'reservation', file: 'memory.low', value: orMax(reservation) })
  }
  if (memory.swappiness !== undefined) {
    issues.push(issueOnlyV1(`${at}/swappiness`, 'limits of swappiness'))
  }
  const warnings =
    memory.disableOOMKiller === true
      ? [`${at}/disableOOMKiller: without effect, cgroup v2 has no such switch`]
      : []
  return { settings, issues, warnings }
}

function readLimit(limits: LimitFacts | undefined): bigint {
  const text = limits?.current.get('memory.max') ?? '0'
  return text === 'max' ? -1n : BigInt(text)
}

const USAGE = { 1: 'memory.usage_in_bytes', 2: 'memory.current' } as const

/** The kernel would reclaim, and then kill, to get below the new limit. */
function checkUsage(
  { limit = 0n, checkBeforeUpdate }: Memory,
  at: Pointer,
  version: CgroupVersion,
  limits: LimitFacts | undefined,
): Issue[] {
  const usage = BigInt(limits?.current.get(USAGE[version]) ?? 0)
  if (checkBeforeUpdate !== true || limit <= 0n || usage <= limit) return []
  const expected = `at least the ${usage} bytes that are in use (checkBeforeUpdate)`
  return [{ pointer: `${at}/limit`, expected, found: `${limit}` }]
}

/** memory.swap.max counts swap alone, the config's `swap` memory and swap together. */
function swapWithoutMemory(limit: bigint, swap: bigint): string | undefined {
  if (swap === -1n || (limit === -1n && swap === 0n)) return 'max'
  if (swap <= 0n) return undefined
  if (limit === -1n) return `${swap}`
  return limit === 0n || swap < limit ? 'impossible' : `${swap - limit}`
}

function orMax(value: bigint): string {
  return value === -1n ? 'max' : `${value}`
}

function swapBelowLimit({ limit = 0n, swap = 0n }: Memory, at: Pointer): Issue {
  const together = 'memory and swap together: at least the memory limit, which must be set too'
  const beside = limit === 0n ? 'no limit' : `a limit of ${limit}`
  return { pointer: `${at}/swap`, expected: together, found: `${swap} with ${beside}` }
}

/** The kernel has dropped these limits (5.16 for kmem), and runc ignores them since 1.0. */
function warnOfKernelMemory(memory: Memory, at: Pointer): string[] {
  return (['kernel', 'kernelTCP'] as const).flatMap((field) =>
    memory[field] === undefined ? [] : [`${at}/${field}: ignored, kernel memory has no own limit`],
  )
}
