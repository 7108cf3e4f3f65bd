/** What the lowering of one step knows of the program around it. */
import type { Step, StepKind } from '../plan/steps.ts'
import type { Assembler } from './assembler.ts'
import type { Meet } from './meets.ts'
import type { DataRef, Label, Slot } from './operands.ts'

/** A mount that masks are copies of: detached until the first is attached. */
export interface MaskSource {
  readonly tree: Slot
  readonly attached: Slot
}

export interface Context {
  readonly asm: Assembler
  /** Where hooks that run before pivot_root have their cwd. */
  readonly bundle: string
  /** All steps of the plan, and where the present one stands among them. */
  readonly steps: readonly Step[]
  position: number
  readonly lastOf: LastPositions
  readonly meets: Map<number, Meet>
  /** `fail` instructions: at the end of the program, out of the way of what succeeds. */
  readonly failures: { label: Label; step: Step; code: number; reason: string }[]

  /** Room for results that are looked at at once. */
  readonly scratch: DataRef
  /** The umask of the caller, which hooks and a config without `umask` get. */
  callerMask?: Slot
  /** Directory of the container's root, from `bind-rootfs` on. */
  root?: Slot
  /** The runtime's mount namespace, where the container shall be in that. */
  mountNamespace?: Slot
  /** A procfs of our own, for sysctls. */
  procfs?: Slot
  /** Room that tells of the mount on /proc, once there is one. */
  procMount?: DataRef
  /** Directory that the last device or link was made in. */
  parent?: { path: string; slot: Slot }
  /** Mounts that `finish-readonly` will need, by destination; the last one there counts. */
  readonly unfinished: Map<string, Slot>
  maskFile?: MaskSource
  maskDirectory?: MaskSource
  /** Address of the path that `find-executable` chose, and its index. */
  executable?: { path: Slot; index: Slot }
  /** `HOME=…` for `execute`. */
  home?: DataRef
}

/** Whether a later step has one of these kinds. */
export function isNeededLater(
  { lastOf, position }: Context,
  ...kinds: readonly StepKind[]
): boolean {
  return kinds.some((kind) => (lastOf.kind.get(kind) ?? 0) > position)
}

/** A label whose instruction ends the process for a reason. */
export function failure(context: Context, code: number, reason: string): Label {
  const step = context.steps[context.position]
  if (step === undefined) throw new Error('lowering: no step')
  const label = context.asm.label(`fail${context.failures.length}`)
  context.failures.push({ label, step, code, reason })
  return label
}

/** Puts the `fail` instructions where nothing runs into them. */
export function placeFailures({ asm, failures }: Context): void {
  for (const { label, step, code, reason } of failures) {
    asm.begin(step)
    asm.place(label)
    asm.fail(code, reason)
  }
}

/** The number of a new meet. */
export function addMeet(context: Context, meet: Meet): number {
  const number = context.meets.size
  context.meets.set(number, meet)
  return number
}

/** The root, which `bind-rootfs` opens. */
export function rootOf(context: Context): Slot {
  if (context.root === undefined) throw new Error('lowering: a step needs the rootfs before it')
  return context.root
}

/** Whether `finish-readonly` will come for a destination. */
export function isFinishedLater({ lastOf, position }: Context, destination: string): boolean {
  return (lastOf.finished.get(destination) ?? 0) > position
}

/** Looked up instead of searched for: there may be thousands of mounts. */
export interface LastPositions {
  readonly kind: ReadonlyMap<StepKind, number>
  /** Of `finish-readonly`, by destination. */
  readonly finished: ReadonlyMap<string, number>
}

export function findLastPositions(steps: readonly Step[]): LastPositions {
  const finishing = [...steps.entries()].flatMap(([index, step]) =>
    step.kind === 'finish-readonly' ? [[step.destination, index] as const] : [],
  )
  return {
    kind: new Map(steps.map(({ kind }, index) => [kind, index])),
    finished: new Map(finishing),
  }
}
