import { basename, dirname } from 'node:path/posix'
import type { Unmount } from '../../plan/steps.ts'
import { close, text } from '../calls.ts'
import { either, flags, MNT, UMOUNT } from '../constants.ts'
import type { Context } from '../context.ts'
import { slotValue } from '../operands.ts'
import { openUnguarded } from './procfs.ts'

/**
 * umount2(2) takes no fd: a name in the directory that is opened in the root. Whoever swaps that
 * name for another has the mount there unmounted, of the container's still.
 */
export function lowerUnmount(context: Context, { destination }: Unmount): void {
  const { asm } = context
  const directory = asm.slot('directory', dirname(destination))
  const how = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const
  openUnguarded(context, dirname(destination), how, directory)
  asm.call('fchdir', [slotValue(directory)])
  close(asm, directory)
  const detach = either(flags(MNT, 'DETACH'), flags(UMOUNT, 'NOFOLLOW'))
  asm.call('umount2', [text(asm, basename(destination)), detach])
}
