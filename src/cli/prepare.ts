/** Everything of `create` that touches nothing: config.json → Spec → facts → plan → program. */
import { loadBundle } from '../config/load.ts'
import type { Spec } from '../config/spec.ts'
import { planCreate } from '../fields/plan-create.ts'
import type { CreateOptions, Facts } from '../host/facts.ts'
import { look } from '../host/look.ts'
import { inquire } from '../host/questions.ts'
import type { Request } from '../host/request.ts'
import { type Lowered, lowerCreate } from '../lower/lower.ts'
import type { Plan } from '../plan/plan.ts'

export interface Prepared {
  readonly spec: Spec
  readonly options: CreateOptions
  readonly facts: Facts
  readonly plan: Plan
  readonly lowered: Lowered
  /** Pointers of properties that the spec does not know. */
  readonly ignored: readonly string[]
  /** What the user should know although the container can run. */
  readonly warnings: readonly string[]
}

/** Compiles a bundle. Throws SpecError with every issue, before anything is made. */
export function prepareCreate(options: CreateOptions, request: Request): Prepared {
  const { spec, ignored, warnings } = loadBundle(options.bundle)
  const facts = look(inquire(spec, options), request)
  const plan = planCreate(spec, options, facts)
  const lowered = lowerCreate(plan, { architecture: facts.architecture, bundle: options.bundle })
  const all = [...warnings, ...plan.warnings]
  return { spec, options, facts, plan, lowered, ignored, warnings: all }
}
