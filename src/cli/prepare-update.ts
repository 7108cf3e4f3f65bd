/** Everything of `update` that touches nothing: resources → facts → plan. */
import type { Resources } from '../config/spec.ts'
import { isContainers } from '../engine/cgroups/processes.ts'
import { planUpdate, type RdtChange } from '../fields/plan-update.ts'
import type { CreateOptions } from '../host/facts.ts'
import { look } from '../host/look.ts'
import { lookAtLimits } from '../host/look-at-limits.ts'
import { NO_QUESTIONS } from '../host/questions.ts'
import type { Request } from '../host/request.ts'
import type { Plan } from '../plan/plan.ts'
import type { ContainerRecord } from '../state/record.ts'

/** Throws SpecError with pointers that begin at the resources. */
export function prepareUpdate(
  resources: Resources,
  { id, bundle, cgroups, unit }: ContainerRecord,
  request: Pick<Request, 'limits'>,
  rdt?: RdtChange,
): Plan {
  // Without one its path would be that of everybody's root.
  const own = cgroups.filter(isContainers)
  const options: CreateOptions = {
    id,
    bundle,
    noPivot: false,
    noNewKeyring: true,
    preserveFds: 0,
    systemdCgroup: false,
    withoutCgroup: own.length === 0,
    listenFds: 0,
    detach: true,
  }
  const cgroup = own[0]?.path ?? ''
  const facts = look({ ...NO_QUESTIONS, cgroup, ...(unit && { systemd: unit }) }, request)
  const limits = { ...lookAtLimits(own), ...(unit && { unit }) }
  return planUpdate(resources, options, facts, limits, rdt)
}
