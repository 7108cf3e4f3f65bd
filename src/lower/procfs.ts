/** A procfs that nobody else can have mounted anything over (CVE-2025-52881). */
import { close, loadFilesystemType, open, openBelow, text } from './calls.ts'
import {
  AT,
  FS_MAGIC,
  FSCONFIG,
  FSMOUNT,
  FSOPEN,
  flags,
  NULL,
  type ResolveFlag,
  STATX,
  ZERO,
} from './constants.ts'
import { type Context, failure, isNeededLater } from './context.ts'
import { FAIL } from './fail-codes.ts'
import { ALL_BITS, address, immediate, load, type Slot, slotValue } from './operands.ts'
import { STATX_AT } from './structs.ts'

/** PROC_ROOT_INO. */
const ROOT_INODE = 1n

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
 * host's own is out of sight: who writes after pivot_root has it mounted before. It also refuses it
 * where the pids are those of the host: then the host's own serves, and files of it are not opened
 * where something is mounted over them.
 */
export function mountProcfs(context: Context): Slot {
  if (context.procfs !== undefined) return context.procfs
  const { asm } = context
  const filesystem = asm.slot('fs')
  const procfs = asm.slot('procfs')
  const refused = asm.label('refused')
  const opened = asm.label('opened')
  const on = { EPERM: refused }
  asm.call('fsopen', [text(asm, 'proc'), flags(FSOPEN, 'CLOEXEC')], { into: filesystem })
  const create = flags(FSCONFIG, 'CMD_CREATE')
  asm.call('fsconfig', [slotValue(filesystem), create, NULL, NULL, ZERO], { on })
  asm.call('fsmount', [slotValue(filesystem), flags(FSMOUNT, 'CLOEXEC'), ZERO], {
    into: procfs,
    success: opened,
  })
  asm.place(refused)
  openSeenProcfs(context, procfs)
  asm.place(opened)
  close(asm, filesystem)
  context.procfs = procfs
  return procfs
}

/** What is at /proc may be anything: only the root of a procfs is taken. */
function openSeenProcfs(context: Context, procfs: Slot): void {
  const { asm, scratch } = context
  const other = failure(context, FAIL.refused, 'no procfs can be mounted, and /proc is none')
  open(asm, '/proc', ['PATH', 'DIRECTORY', 'NOFOLLOW', 'CLOEXEC'], { into: procfs })
  const type = loadFilesystemType(asm, slotValue(procfs), scratch)
  asm.test(type, ALL_BITS, 'ne', flags(FS_MAGIC, 'PROC_SUPER_MAGIC'), other)
  const inode = address(scratch, '&st')
  const empty = flags(AT, 'EMPTY_PATH')
  asm.call('statx', [slotValue(procfs), text(asm, ''), empty, flags(STATX, 'INO'), inode])
  asm.test(load(scratch, STATX_AT.inode, 8, 'st.ino'), ALL_BITS, 'ne', ROOT_INODE, other)
}

/** Ends its use when no later step writes through it. */
export function releaseProcfs(context: Context): void {
  if (context.procfs === undefined || isNeededLater(context, ...USERS)) return
  close(context.asm, context.procfs)
  delete context.procfs
}
