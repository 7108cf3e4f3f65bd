/** What state.json says of a container from before the first effect on. */
import { listInstructions } from '../lower/listing.ts'
import type { MakeCgroup, RunHook } from '../plan/steps.ts'
import { type ContainerRecord, RECORD_VERSION, type RecordedListener } from '../state/record.ts'
import { readBootId } from '../sys/proc.ts'
import { findMissing } from './cgroups/steps.ts'
import type { CreateInput } from './create-input.ts'

/** Lane of the container's first process; lane 0 is the stage's. */
export const INIT_LANE = 1

/** A record with every name that will be made: what a SIGKILL leaves behind can be found by it. */
export function createRecord(input: CreateInput): ContainerRecord {
  const { options, spec, plan, lowered, facts } = input
  const rootfs = plan.steps.find((step) => step.kind === 'bind-rootfs')
  const resctrlGroups = plan.steps
    .flatMap((step) =>
      step.kind === 'make-resctrl-group' && step.sharing === 'own' ? step.path : [],
    )
    .toReversed()
  return {
    version: RECORD_VERSION,
    id: options.id,
    ociVersion: spec.ociVersion,
    bundle: options.bundle,
    rootfs: rootfs?.path ?? '',
    created: formatNow(),
    annotations: spec.annotations ?? {},
    owner: facts.uid,
    creating: true,
    pid: 0,
    startTime: '',
    bootId: readBootId(),
    ...describePlace(input),
    ...(resctrlGroups.length > 0 && { resctrlGroups }),
    hooks: lowered.epilogue,
    ...describeStart(input),
  }
}

/** The container's cgroups; those below one of them go with it. */
function describePlace({ plan, facts }: CreateInput): Pick<ContainerRecord, 'cgroups' | 'unit'> {
  const unit = plan.steps.find((step) => step.kind === 'start-unit')
  const all = plan.steps.filter((step) => step.kind === 'make-cgroup')
  const isBelow = (path: string, { hierarchy }: MakeCgroup) =>
    all.some((other) => other.hierarchy === hierarchy && path.startsWith(`${other.path}/`))
  const made = all.filter((step) => !isBelow(step.path, step))
  // What systemd made it removes: nothing above the unit's cgroup is ours.
  if (unit !== undefined) {
    const { hierarchy, path, userBus } = unit
    return {
      cgroups: [{ hierarchy, path, version: 2, missing: [] }],
      unit: { name: unit.unit, ...(userBus !== undefined && { userBus }) },
    }
  }
  return {
    cgroups: made.map((step) => ({
      hierarchy: step.hierarchy,
      path: step.path,
      version: step.hierarchy === facts.cgroup.v2?.mountpoint ? 2 : 1,
      missing: findMissing(step),
    })),
  }
}

/** What `start` needs to serve hooks and to explain a failure, without compiling again. */
function describeStart({ lowered }: CreateInput) {
  const instructions = listInstructions(lowered.program)
  const startIndex = instructions.findIndex(({ op }) => op === 'wait')
  const executeIndex = instructions.findLastIndex(({ syscall }) => syscall === 'execve')
  const hooks: [number, RunHook][] = []
  let listener: RecordedListener | undefined
  for (const [meet, { kind, ...rest }] of lowered.meets) {
    if (meet < lowered.firstStartMeet || kind !== 'exchange' || !('step' in rest)) continue
    const { step } = rest
    if (step.kind === 'run-hook') hooks.push([meet, step])
    if (step.kind === 'load-seccomp' && step.listener !== undefined) {
      listener = { meet, origin: step.origin, ...step.listener }
    }
  }
  return {
    lane: INIT_LANE,
    startIndex,
    executeIndex,
    startListing: instructions.slice(startIndex),
    startHooks: Object.fromEntries(hooks),
    ...(listener !== undefined && { startListener: listener }),
  }
}

/** RFC 3339 with nanoseconds, as Go's engines parse and print it. */
function formatNow(): string {
  const now = new Date()
  const nanoseconds = String(process.hrtime.bigint() % 1_000_000n).padStart(6, '0')
  return now.toISOString().replace('Z', `${nanoseconds}Z`)
}
