import type { Rlimit } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { Phase } from '../../plan/phases.ts'
import type { RaiseLimit, SetLimit } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { hasUserNamespace } from '../linux/user-namespace.ts'

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
 * Only as root, and the host's: in a user namespace of its own the container's process cannot. What
 * it lowers comes as the very last, since the executor could not work under it.
 */
function raiseHardLimit(
  limit: Rlimit,
  origin: Pointer,
  planning: Planning,
): (SetLimit | RaiseLimit)[] {
  const current = planning.facts.limits[limit.type]
  if (current === undefined || limit.hard <= current.hard) return []
  if (hasUserNamespace(planning)) {
    const { type, hard } = limit
    return [{ kind: 'raise-limit', phase: 'process', origin, type, soft: current.soft, hard }]
  }
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
