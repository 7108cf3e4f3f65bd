/** Mounts that the runtime makes on the host and hands in, detached. */
import type { BindMount, BindRootfs } from '../plan/steps.ts'
import { addMeet, type Context } from './context.ts'
import type { Slot } from './operands.ts'

/** The tree of the step: cloned, slave or as asked, with its attributes and ids. */
export function takeTree(context: Context, step: BindMount | BindRootfs, into: Slot): void {
  const path = step.kind === 'bind-mount' ? step.source : step.path
  const number = addMeet(context, { kind: 'exchange', step })
  context.asm.meet(number, `take ${into.name} of ${path}`, { fdsInto: [into] })
}
