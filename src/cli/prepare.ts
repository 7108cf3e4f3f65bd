/** Everything of `create` that touches nothing: config.json → Spec → facts → plan → program. */
import { loadBundle } from '../config/load.ts'
import type { Spec } from '../config/spec.ts'
import { type Issue, SpecError } from '../errors.ts'
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

export interface PrepareOptions {
  /** Puts other facts in the place of those of this host. */
  readonly adjust?: (facts: Facts) => Facts
  /** In place of the bundle's config.json; `-`: stdin. */
  readonly config?: string
  /** An fd of the directory for compiled seccomp filters. */
  readonly cacheDirectory?: number
}

/** Compiles a bundle. Throws SpecError with every issue, before anything is made. */
export function prepareCreate(
  options: CreateOptions,
  request: Request,
  { adjust = (facts) => facts, config, ...lookOptions }: PrepareOptions = {},
): Prepared {
  const receiver = request.env.get('RUN_OCI_SECCOMP_RECEIVER')
  const { spec, ignored, warnings, refuse } = loadBundle(options.bundle, config, receiver)
  const facts = adjust(look(inquire(spec, options), request, lookOptions))
  const plan = tryPlan(() => planCreate(spec, options, facts), refuse)
  const lowered = lowerCreate(plan, { architecture: facts.architecture, bundle: options.bundle })
  const all = [...warnings, ...plan.warnings]
  return { spec, options, facts, plan, lowered, ignored, warnings: all }
}

/** The planner knows pointers alone: where in the file they lead, the loader knows. */
function tryPlan(plan: () => Plan, refuse: (issues: readonly Issue[]) => SpecError): Plan {
  try {
    return plan()
  } catch (error) {
    throw error instanceof SpecError ? refuse(error.issues) : error
  }
}
