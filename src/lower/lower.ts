/** From a plan to a program for the executor, and to what the engine does around and between. */
import type { Plan } from '../plan/plan.ts'
import type { BindMount, HostStep, RunHook, Step } from '../plan/steps.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { createAssembler, type Program } from './assembler.ts'
import { CLONE, flags, ZERO } from './constants.ts'
import { addMeet, type Context, findLastPositions, placeFailures } from './context.ts'
import type { Meet } from './meets.ts'
import { hookSlots, runHook } from './steps/hooks.ts'
import { type LoweredStep, lowerStep } from './steps/table.ts'

export interface Lowered {
  /** Host steps before there is a process: the engine does them before it starts the executor. */
  readonly prologue: readonly HostStep[]
  readonly program: Program
  /** What the engine does when the program meets it at a number. */
  readonly meets: ReadonlyMap<number, Meet>
  /** Meets of this number and above come after `wait-for-start`: `start` serves them. */
  readonly firstStartMeet: number
  /** Hooks outside of the program: done by `start` and by `delete`. */
  readonly epilogue: {
    readonly poststart: readonly RunHook[]
    readonly poststop: readonly RunHook[]
  }
}

export interface LowerOptions {
  readonly architecture: Architecture
  /** Absolute path: the cwd of createContainer hooks. */
  readonly bundle: string
}

/** Lowers everything up to the container's execve. */
export function lowerCreate(plan: Plan, options: LowerOptions): Lowered {
  const steps = plan.steps.filter(({ phase }) => phase !== 'poststart' && phase !== 'poststop')
  // systemd makes a unit around a process: that of the stage.
  const first = steps.findIndex((step) => isLowered(step) || step.kind === 'start-unit')
  const prologue = steps.slice(0, first < 0 ? steps.length : first).filter(isHost)
  const context = createContext(steps.slice(prologue.length), options)
  beginProgram(context)
  const waiting = steps.findIndex(({ kind }) => kind === 'wait-for-start') - prologue.length
  let firstStartMeet: number | undefined
  while (context.position < context.steps.length) {
    if (context.position === waiting) firstStartMeet = context.meets.size
    lowerNext(context)
  }
  endProgram(context)
  return {
    prologue,
    program: context.asm.finish(),
    meets: context.meets,
    firstStartMeet: firstStartMeet ?? context.meets.size,
    epilogue: { poststart: hooksOf(plan, 'poststart'), poststop: hooksOf(plan, 'poststop') },
  }
}

/** What `exec` runs, and what the engine does when the program meets it at a number. */
export type LoweredExec = Pick<Lowered, 'program' | 'meets'>

/**
 * Lowers a further process of a container. The program is given `container`, a pidfd of the
 * container's first process.
 */
export function lowerExec({ steps }: Plan, architecture: Architecture): LoweredExec {
  const context = createContext(steps, { architecture, bundle: '/' })
  beginProgram(context)
  while (context.position < context.steps.length) lowerNext(context)
  endProgram(context)
  return { program: context.asm.finish(), meets: context.meets }
}

/** A hook in the runtime's namespaces: the same sequence, in an executor that enters nothing. */
export function lowerHook(step: RunHook, bundle: string, architecture: Architecture): Program {
  const asm = createAssembler(architecture)
  asm.begin(step)
  const files = hookSlots(asm)
  asm.meet(0, 'files of the hook', { fdsInto: Object.values(files) })
  runHook(asm, step, { ...files, directory: bundle })
  asm.call('exit_group', [ZERO])
  return asm.finish()
}

/**
 * A process in a user namespace of its own that no container is in: its ids are those of an
 * idmapped mount, for which the runtime opens the namespace while the process waits.
 */
export function lowerIdHolder(step: BindMount, architecture: Architecture): Program {
  const asm = createAssembler(architecture)
  asm.begin(step)
  asm.call('unshare', [flags(CLONE, 'NEWUSER')])
  asm.meet(0, 'map ids, open the namespace')
  asm.call('exit_group', [ZERO])
  return asm.finish()
}

function createContext(steps: readonly Step[], options: LowerOptions): Context {
  const asm = createAssembler(options.architecture)
  return {
    asm,
    bundle: options.bundle,
    steps,
    position: 0,
    lastOf: findLastPositions(steps),
    meets: new Map(),
    failures: [],
    scratch: asm.bytes(4096),
    unfinished: new Map(),
  }
}

function beginProgram(context: Context): void {
  const { asm } = context
  const [first] = context.steps
  if (first === undefined) return
  asm.begin(first)
  context.callerMask = asm.slot('umask')
  // The modes of devices and of new directories are meant as they stand.
  asm.call('umask', [ZERO], { into: context.callerMask })
}

/** One init or exchange step, or all host steps up to the next of those. */
function lowerNext(context: Context): void {
  const { asm, steps, position } = context
  const step = steps[position]
  if (step === undefined) return
  asm.begin(step)
  if (isLowered(step)) {
    lowerStep(context, step)
    context.position++
    return
  }
  const end = steps.findIndex((other, index) => index > position && isLowered(other))
  const group = steps.slice(position, end < 0 ? steps.length : end).filter(isHost)
  const text = group.map(({ kind }) => kind).join(', ')
  asm.meet(addMeet(context, { kind: 'host', steps: group }), text)
  context.position += group.length
}

function endProgram(context: Context): void {
  const last = context.steps.at(-1)
  if (last === undefined) return
  context.asm.begin(last)
  context.asm.call('exit_group', [ZERO])
  placeFailures(context)
}

const INNER_HOOKS: readonly string[] = ['createContainer', 'startContainer']
const HOST_KINDS: readonly string[] = [
  'make-cgroup',
  'start-unit',
  'set-unit-properties',
  'write-cgroup-file',
  'attach-device-filter',
  'join-cgroup',
  'make-resctrl-group',
  'join-resctrl-group',
  'own-cgroup',
  'set-oom-score',
  'map-ids',
  'set-time-offsets',
  'raise-limit',
  'record-created',
] satisfies HostStep['kind'][]

function isHost(step: Step): step is HostStep {
  return step.kind === 'run-hook'
    ? !INNER_HOOKS.includes(step.hook)
    : HOST_KINDS.includes(step.kind)
}

function isLowered(step: Step): step is LoweredStep {
  return !isHost(step)
}

function hooksOf(plan: Plan, hook: 'poststart' | 'poststop'): RunHook[] {
  return plan.steps.filter(
    (step): step is RunHook => step.kind === 'run-hook' && step.phase === hook,
  )
}
