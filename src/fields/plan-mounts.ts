/** The plans of `mounts add` and `mounts remove`: a container's mounts while it runs. */
import type { Mount, Spec } from '../config/spec.ts'
import { type Issue, SpecError } from '../errors.ts'
import type { ContainerFacts, CreateOptions, Facts } from '../host/facts.ts'
import { MOUNTS_PHASES } from '../plan/phases.ts'
import { arrangePlan, type Plan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import { cleanPath } from './container-path.ts'
import { planJoins } from './entrance.ts'
import type { Contribution, Planning } from './field.ts'
import { mounts as field } from './mounts.ts'
import { planFields } from './walk.ts'

/** What is planned, for which container. `linux` is of its config. */
export interface MountsInput {
  readonly mounts: readonly Mount[]
  readonly linux: Spec['linux']
  readonly options: CreateOptions
  readonly facts: Facts
  readonly container: ContainerFacts
}

/** The field is that of `create`; sources are the host's, so that the runtime opens them. */
export function planMountsAdd(input: MountsInput): Plan {
  const { mounts } = input
  return planChange(input, planFields({ mounts: field }, { mounts }, '', readPlanning(input)))
}

/** The last one first, since one may lie in another. */
export function planMountsRemove(input: MountsInput): Plan {
  const steps: Step[] = []
  const issues: Issue[] = []
  for (const [index, mount] of input.mounts.entries()) {
    const origin = `/mounts/${index}`
    const destination = cleanPath(mount.destination)
    if (destination === '/') {
      const found = JSON.stringify(mount.destination)
      issues.push({ pointer: `${origin}/destination`, expected: 'a path below /', found })
    } else steps.unshift({ kind: 'unmount', phase: 'mounts', origin, destination })
  }
  return planChange(input, { steps, issues })
}

function readPlanning({ mounts, linux, options, facts, container }: MountsInput): Planning {
  const { uidMappings = [], gidMappings = [] } = linux ?? {}
  const namespaces = container.namespaces.map((type) => ({ type }))
  const spec = { ociVersion: '', mounts, linux: { namespaces, uidMappings, gidMappings } }
  return { spec, options, facts }
}

function planChange(
  input: MountsInput,
  { steps = [], issues = [], warnings = [] }: Contribution,
): Plan {
  const { container } = input
  const all = [...issues, ...checkNamespace(container)]
  if (all.length > 0) throw new SpecError('mounts', all)
  const joins = planJoins(readPlanning(input), container)
  // A child alone is in the pid namespace, of which a procfs that it mounts tells.
  const clone = { kind: 'clone-process', phase: 'clone', origin: '', awaited: true } as const
  return arrangePlan([...joins, clone, ...steps.map(openOnHost)], warnings, MOUNTS_PHASES)
}

function openOnHost(step: Step): Step {
  return step.kind === 'bind-mount' ? { ...step, openedBy: 'runtime' } : step
}

function checkNamespace({ namespaces, root }: ContainerFacts): Issue[] {
  if (namespaces.includes('mount') && root === undefined) return []
  const message = 'the container has no mount namespace of its own, which one could mount in'
  return [{ pointer: '', expected: 'a mount namespace', message }]
}
