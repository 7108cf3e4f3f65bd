/** Everything of `exec` that touches nothing: what is asked for → facts → plan → program. */
import type { Process } from '../config/spec.ts'
import type { ExecTarget } from '../engine/exec-target.ts'
import { type Issue, SpecError } from '../errors.ts'
import { planExec } from '../fields/plan-exec.ts'
import type { ExecOptions, Facts } from '../host/facts.ts'
import { look } from '../host/look.ts'
import { lookAtContainer } from '../host/look-at-container.ts'
import { NO_QUESTIONS } from '../host/questions.ts'
import type { Request } from '../host/request.ts'
import { type LoweredExec, lowerExec } from '../lower/lower.ts'
import type { Plan } from '../plan/plan.ts'

export interface PreparedExec {
  readonly plan: Plan
  readonly lowered: LoweredExec
  readonly facts: Facts
}

/** `refuse` makes the error for issues of the process. */
export function prepareExec(
  { record, config }: Pick<ExecTarget, 'record' | 'config'>,
  process: Process,
  options: ExecOptions,
  request: Pick<Request, 'limits'>,
  refuse: (issues: readonly Issue[]) => SpecError,
): PreparedExec {
  const { seccomp } = config
  const mapsIds = (config.spec.linux?.uidMappings ?? []).length > 0
  const facts = {
    ...look({ ...NO_QUESTIONS, mapsIds }, request),
    ...(seccomp && { seccomp }),
  }
  const container = lookAtContainer(record.pid, record.cgroups, config.sharesMounts)
  try {
    const plan = planExec({ ...config.spec, process }, options, facts, container)
    return { plan, lowered: lowerExec(plan, facts.architecture), facts }
  } catch (error) {
    throw error instanceof SpecError ? refuse(error.issues) : error
  }
}
