import type { Linux, Spec } from '../config/spec.ts'
import { SpecError } from '../errors.ts'
import type { ContainerFacts, ExecOptions, Facts } from '../host/facts.ts'
import { EXEC_PHASES } from '../plan/phases.ts'
import { arrangePlan, type Plan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import { planEntrance } from './entrance.ts'
import type { Fields, Planning } from './field.ts'
import { planLifecycle } from './lifecycle.ts'
import { linux } from './linux.ts'
import { process } from './process.ts'
import { merge, planFields } from './walk.ts'

/** What of `linux` holds for each process of a container, not for the container. */
const OF_EACH_PROCESS: Fields<
  Pick<Linux, 'intelRdt' | 'memoryPolicy' | 'personality' | 'seccomp'>
> = {
  // The group is there: its makers' phase is none of exec's.
  intelRdt: linux.intelRdt,
  memoryPolicy: linux.memoryPolicy,
  personality: linux.personality,
  seccomp: linux.seccomp,
}

/**
 * Compiles the plan of `exec`: the fields are those of `create`, the phases fewer. `spec.process`
 * is the process to run, the rest of the spec the container's. Throws a SpecError with all that is
 * wrong.
 */
export function planExec(
  spec: Spec,
  options: ExecOptions,
  facts: Facts,
  container: ContainerFacts,
): Plan {
  const planning: Planning = { spec: joinInSpec(spec, container), options, facts }
  const { steps, issues, warnings } = merge([
    planEntrance(planning, options, container),
    planLifecycle(planning),
    planFields(process, planning.spec.process, '/process', planning),
    planFields(OF_EACH_PROCESS, spec.linux, '/linux', planning),
  ])
  if (issues !== undefined && issues.length > 0) throw new SpecError('config.json', issues)
  return arrangePlan((steps ?? []).map(inherit), warnings, EXEC_PHASES)
}

/** To the fields the container's namespaces are ones that are joined, whatever they were once. */
function joinInSpec(spec: Spec, { namespaces }: ContainerFacts): Spec {
  const joined = namespaces.map((type) => ({ type, path: `the container's ${type} namespace` }))
  return { ...spec, linux: { ...spec.linux, namespaces: joined } }
}

/**
 * What the runtime does to a process by its pid is done to the stage: its child inherits it. So it
 * does a pty of the runtime's devpts, which is out of sight in the container's namespaces.
 */
function inherit(step: Step): Step {
  if (step.kind === 'open-terminal' && step.from === 'runtime') return { ...step, phase: 'stage' }
  return step.phase === 'process' ? { ...step, phase: 'enter-cgroup' } : step
}
