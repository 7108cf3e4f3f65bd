import type { IntelRdt, Resources, Spec } from '../config/spec.ts'
import { SpecError } from '../errors.ts'
import type { CreateOptions, Facts, LimitFacts } from '../host/facts.ts'
import { arrangePlan, type Plan } from '../plan/plan.ts'
import { planSchemata, type SchemataLine } from './linux/intel-rdt.ts'
import { resources as fields } from './linux/resources.ts'
import { withUnit } from './linux/systemd/unit.ts'
import { merge, planFields } from './walk.ts'

export interface RdtChange {
  readonly lines: readonly SchemataLine[]
  /** Of the container's config. */
  readonly configured?: IntelRdt | undefined
}

/**
 * Compiles the plan of `update`: the fields are those of `create`, over cgroups that are there.
 * What is not configured stays as it is. Throws a SpecError with all that is wrong; its pointers
 * begin at the resources.
 */
export function planUpdate(
  resources: Resources,
  options: CreateOptions,
  facts: Facts,
  limits: LimitFacts,
  rdt: RdtChange = { lines: [] },
): Plan {
  const spec: Spec = { ociVersion: '1.0.0', linux: { resources } }
  const planning = { spec, options, facts, limits }
  const { steps, issues, warnings } = merge([
    planFields(fields, resources, '', planning),
    planSchemata(rdt.lines, rdt.configured, planning),
  ])
  if (issues !== undefined && issues.length > 0) throw new SpecError('resources', issues)
  return arrangePlan(withUnit(steps ?? [], planning), warnings)
}
