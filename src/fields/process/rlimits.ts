import type { Rlimit } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { Phase } from '../../plan/phases.ts'
import type { SetLimit } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'

export const rlimits: Field<readonly Rlimit[]> = {
  plan: planRlimits,
  absent: (at, planning) => planRlimits([], at, planning),
}

function planRlimits(configured: readonly Rlimit[], at: Pointer, planning: Planning): Contribution {
  const steps = configured.flatMap((limit, index) => [
    ...raiseHardLimit(limit, `${at}/${index}`, planning),
    setLimit(limit, 'limits', `${at}/${index}`),
  ])
  return { steps: [...steps, ...restoreOpenFiles(configured, at, planning)] }
}

/**
 * Only as root; what it lowers comes as the very last, since the executor could not work under it.
 */
function raiseHardLimit(limit: Rlimit, origin: Pointer, { facts }: Planning): SetLimit[] {
  const current = facts.limits[limit.type]
  if (current === undefined || limit.hard <= current.hard) return []
  return [setLimit({ ...limit, soft: current.soft }, 'raise-limits', origin)]
}

/** Node raised the soft limit of its own process, which the container's inherits. */
function restoreOpenFiles(
  configured: readonly Rlimit[],
  origin: Pointer,
  { facts }: Planning,
): SetLimit[] {
  const type = 'RLIMIT_NOFILE'
  const caller = facts.limits[type]
  if (caller === undefined || configured.some((limit) => limit.type === type)) return []
  return [setLimit({ type, ...caller }, 'limits', origin)]
}

function setLimit({ type, soft, hard }: Rlimit, phase: Phase, origin: Pointer): SetLimit {
  return { kind: 'set-limit', phase, origin, type, soft, hard }
}
