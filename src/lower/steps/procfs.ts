/**
 * An image may have a link to /proc where a volume goes: what is mounted there would stand in for
 * files of procfs that this runtime and the container trust (CVE-2019-16884). That a destination
 * reads `/proc/…` is for `fields` to judge; where it really leads, only the kernel knows.
 */

import { loadFilesystemType, openBelow, text } from '../calls.ts'
import { AT, FS_MAGIC, flags, type OpenFlag, STATX } from '../constants.ts'
import { type Context, failure, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { ALL_BITS, address, type DataRef, load, type Slot, slotValue } from '../operands.ts'
import { STATX_AT, STATX_SIZE } from '../structs.ts'

/** Remembers the mount on /proc. */
export function noteProcfs(context: Context, destination: string, mount: Slot): void {
  if (destination !== '/proc') return
  context.procMount = context.asm.bytes(STATX_SIZE)
  identifyMount(context, mount, context.procMount)
}

/** Ends the program where a destination outside /proc turns out to lie in it. */
export function refuseProcfs(context: Context, destination: string, target: Slot): void {
  const { asm, scratch, procMount } = context
  if (procMount === undefined || `${destination}/`.startsWith('/proc/')) return
  const reason = `${destination} leads into /proc by a symbolic link (CVE-2019-16884)`
  identifyMount(context, target, scratch)
  const found = load(scratch, STATX_AT.mountId, 8, 'st.mnt_id')
  const proc = load(procMount, STATX_AT.mountId, 8, 'mnt_id</proc>')
  asm.test(found, ALL_BITS, 'eq', proc, failure(context, FAIL.refused, reason))
}

function identifyMount({ asm }: Context, fd: Slot, into: DataRef): void {
  const how = flags(AT, 'EMPTY_PATH')
  const what = flags(STATX, 'MNT_ID')
  asm.call('statx', [slotValue(fd), text(asm, ''), how, what, address(into, '&st')])
}

/** Where the mounts are that guard the kernel: masks, `/proc/sys` and cgroups read-only. */
const KERNELS = [
  'PROC_SUPER_MAGIC',
  'SYSFS_MAGIC',
  'CGROUP_SUPER_MAGIC',
  'CGROUP2_SUPER_MAGIC',
] as const

/**
 * Opens what is in the way of a change to a mount that is there. By a link that it puts in the path,
 * an image or a container could have its guards lifted.
 */
export function openUnguarded(
  context: Context,
  path: string,
  how: readonly OpenFlag[],
  into: Slot,
  options: { readonly reason?: string } = {},
): void {
  const { asm, scratch } = context
  const root = slotValue(rootOf(context))
  const linked = asm.label('linked')
  const opened = asm.label('opened')
  const within = ['IN_ROOT', 'NO_MAGICLINKS'] as const
  openBelow(asm, root, path, how, [...within, 'NO_SYMLINKS'], {
    ...options,
    into,
    on: { ELOOP: linked },
    success: opened,
  })
  asm.place(linked)
  openBelow(asm, root, path, how, within, { ...options, into })
  const type = loadFilesystemType(asm, slotValue(into), scratch)
  const reason = `${path} leads into a filesystem of the kernel by a symbolic link`
  const refused = failure(context, FAIL.refused, reason)
  for (const magic of KERNELS) asm.test(type, ALL_BITS, 'eq', flags(FS_MAGIC, magic), refused)
  asm.place(opened)
}
