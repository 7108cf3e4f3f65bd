import type { Spec } from '../config/spec.ts'
import { SpecError } from '../errors.ts'
import type { CreateOptions, Facts } from '../host/facts.ts'
import { arrangePlan, type Plan } from '../plan/plan.ts'
import { planLifecycle } from './lifecycle.ts'
import { completeUnit } from './linux/systemd/unit.ts'
import { planNotify } from './notify.ts'
import { spec as fields } from './spec.ts'
import { merge, planFields } from './walk.ts'

/** Compiles a config to the plan of `create`; throws a SpecError with all that is wrong with it. */
export function planCreate(spec: Spec, options: CreateOptions, facts: Facts): Plan {
  const planning = { spec, options, facts }
  const { steps, issues, warnings } = merge([
    planLifecycle(planning),
    planFields(fields, spec, '', planning),
    planNotify(planning),
  ])
  if (issues !== undefined && issues.length > 0) throw new SpecError('config.json', issues)
  return arrangePlan(completeUnit(steps ?? [], planning), warnings)
}
