import type { Remount } from '../../plan/steps.ts'
import { close, text } from '../calls.ts'
import { FSCONFIG, FSPICK, flags, NULL, ZERO } from '../constants.ts'
import type { Context } from '../context.ts'
import { changeMount } from '../mount-attributes.ts'
import { slotValue } from '../operands.ts'
import { configureFilesystem, keepOrClose, mountSlot } from './mounts.ts'
import { openUnguarded } from './procfs.ts'

/** Changes what lies at the destination; if that is no mount the kernel says so. */
export function lowerRemount(context: Context, step: Remount): void {
  const { asm } = context
  const mount = mountSlot(context, step)
  openUnguarded(context, step.destination, ['PATH', 'CLOEXEC'], mount, {
    reason: 'remount changes a mount that is there',
  })
  if (step.parameters.length > 0) {
    const filesystem = asm.slot('fs', step.destination)
    const fs = slotValue(filesystem)
    const how = flags(FSPICK, 'CLOEXEC', 'EMPTY_PATH')
    asm.call('fspick', [slotValue(mount), text(asm, ''), how], { into: filesystem })
    configureFilesystem(asm, fs, step.parameters)
    asm.call('fsconfig', [fs, flags(FSCONFIG, 'CMD_RECONFIGURE'), NULL, NULL, ZERO])
    close(asm, filesystem)
  }
  const { attributes, recursiveAttributes, propagation } = step
  changeMount(asm, slotValue(mount), attributes, recursiveAttributes, propagation)
  keepOrClose(context, step.destination, mount)
}
