/** Everything of `mounts` that touches nothing: a file's mounts → facts → plan → program. */
import type { Loaded } from '../config/load.ts'
import type { ExecTarget } from '../engine/exec-target.ts'
import { type Pointer, SpecError } from '../errors.ts'
import { planMountsAdd, planMountsRemove } from '../fields/plan-mounts.ts'
import type { CreateOptions } from '../host/facts.ts'
import { look } from '../host/look.ts'
import { lookAtContainer } from '../host/look-at-container.ts'
import { inquire } from '../host/questions.ts'
import type { Request } from '../host/request.ts'
import { type LoweredExec, lowerExec } from '../lower/lower.ts'

export interface PreparedMounts {
  readonly lowered: LoweredExec
  readonly order: readonly Pointer[]
  readonly warnings: readonly string[]
}

/** Throws SpecError with every issue, before anything is done. */
export function prepareMounts(
  verb: 'add' | 'remove',
  { spec, refuse }: Pick<Loaded, 'spec' | 'refuse'>,
  { record, config }: Pick<ExecTarget, 'record' | 'config'>,
  request: Pick<Request, 'limits'>,
): PreparedMounts {
  const { mounts = [] } = spec
  const options: CreateOptions = {
    id: record.id,
    bundle: record.bundle,
    noPivot: false,
    noNewKeyring: true,
    preserveFds: 0,
    systemdCgroup: false,
    listenFds: 0,
    detach: true,
  }
  const facts = look(inquire(spec, options), request)
  const container = lookAtContainer(record.pid, record.cgroups, config.sharesMounts)
  try {
    const input = { mounts, linux: config.spec.linux, options, facts, container }
    const plan = verb === 'add' ? planMountsAdd(input) : planMountsRemove(input)
    const order = plan.steps.filter(({ phase }) => phase === 'mounts').map(({ origin }) => origin)
    return { lowered: lowerExec(plan, facts.architecture), order, warnings: plan.warnings }
  } catch (error) {
    throw error instanceof SpecError ? refuse(error.issues) : error
  }
}
