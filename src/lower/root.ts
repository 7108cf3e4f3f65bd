/** Paths below the container's root. */
import { basename, dirname } from 'node:path/posix'
import { close } from './calls.ts'
import { type Context, rootOf } from './context.ts'
import { type Slot, slotValue } from './operands.ts'

/** The directory of a path, opened and made if missing; the path's last component. */
export function openParent(context: Context, path: string): { parent: Slot; name: string } {
  const { asm } = context
  const directory = dirname(path)
  if (context.parent?.path !== directory) {
    const slot = asm.slot('parent', directory)
    asm.mkpath(slotValue(rootOf(context)), directory, 'directory', { into: slot })
    context.parent = { path: directory, slot }
  }
  return { parent: context.parent.slot, name: basename(path) }
}

/** Closes the directory unless the next step makes something in it, too. */
export function closeParent(context: Context): void {
  const next = context.steps[context.position + 1]
  const isUsed =
    (next?.kind === 'make-device' || next?.kind === 'make-symlink') &&
    dirname(next.path) === context.parent?.path
  if (isUsed || context.parent === undefined) return
  close(context.asm, context.parent.slot)
  delete context.parent
}

/** Ends the use of the root's fd. */
export function closeRoot(context: Context): void {
  close(context.asm, rootOf(context))
  delete context.root
}
