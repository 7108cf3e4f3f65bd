/** A procfs that nobody else can have mounted anything over (CVE-2025-52881). */
import { close, openBelow, text } from './calls.ts'
import { FSCONFIG, FSMOUNT, FSOPEN, flags, NULL, type ResolveFlag, ZERO } from './constants.ts'
import { type Context, isNeededLater } from './context.ts'
import { immediate, type Slot, slotValue } from './operands.ts'

/** The kinds of steps that write through it. */
const USERS = ['set-sysctl', 'set-exec-label'] as const

/** What a failure means to a user. */
interface Reasons {
  readonly open?: string
  readonly write?: string
}

/** Writes a value to a file below it. `thread-self` is a link of procfs itself. */
export function writeProcfs(
  context: Context,
  path: string,
  value: string,
  { open, write }: Reasons = {},
): void {
  const { asm } = context
  const procfs = slotValue(mountProcfs(context))
  const file = asm.slot('file', `/proc/${path}`)
  const links: readonly ResolveFlag[] = path.startsWith('thread-self/') ? [] : ['NO_SYMLINKS']
  const within = ['BENEATH', 'NO_XDEV', ...links, 'NO_MAGICLINKS'] as const
  openBelow(asm, procfs, path, ['WRONLY', 'CLOEXEC'], within, {
    into: file,
    ...(open !== undefined && { reason: open }),
  })
  const length = immediate(Buffer.byteLength(value))
  const options = write === undefined ? {} : { reason: write }
  asm.call('write', [slotValue(file), text(asm, value), length], options)
  close(asm, file)
}

/**
 * Mounted at its first use, never attached. In a user namespace the kernel refuses it once the
 * host's own is out of sight: who writes after pivot_root has it mounted before.
 */
export function mountProcfs(context: Context): Slot {
  if (context.procfs !== undefined) return context.procfs
  const { asm } = context
  const filesystem = asm.slot('fs')
  const procfs = asm.slot('procfs')
  asm.call('fsopen', [text(asm, 'proc'), flags(FSOPEN, 'CLOEXEC')], { into: filesystem })
  asm.call('fsconfig', [slotValue(filesystem), flags(FSCONFIG, 'CMD_CREATE'), NULL, NULL, ZERO], {
    reason: 'files of /proc are written through a procfs of our own; here none can be mounted',
  })
  asm.call('fsmount', [slotValue(filesystem), flags(FSMOUNT, 'CLOEXEC'), ZERO], { into: procfs })
  close(asm, filesystem)
  context.procfs = procfs
  return procfs
}

/** Ends its use when no later step writes through it. */
export function releaseProcfs(context: Context): void {
  if (context.procfs === undefined || isNeededLater(context, ...USERS)) return
  close(context.asm, context.procfs)
  delete context.procfs
}
