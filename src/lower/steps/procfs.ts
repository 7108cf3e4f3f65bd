/**
 * An image may have a link to /proc where a volume goes: what is mounted there would stand in for
 * files of procfs that this runtime and the container trust (CVE-2019-16884). That a destination
 * reads `/proc/…` is for `fields` to judge; where it really leads, only the kernel knows.
 */

import { text } from '../calls.ts'
import { AT, flags, STATX } from '../constants.ts'
import { type Context, failure } from '../context.ts'
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
