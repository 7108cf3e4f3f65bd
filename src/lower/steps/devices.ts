import type { MakeDevice, MakeDirectory, MakeSymlink } from '../../plan/steps.ts'
import { close, open, openBelow, statFd, text } from '../calls.ts'
import { AT, flags, S } from '../constants.ts'
import { type Context, failure, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { immediate, type Label, load, type Slot, slotValue } from '../operands.ts'
import { closeParent, openParent } from '../root.ts'
import { STATX_AT } from '../structs.ts'

const TYPE = { c: 'IFCHR', b: 'IFBLK', p: 'IFIFO' } as const

/** The mode is exact: a program begins with umask(0). */
export function lowerMakeDevice(context: Context, step: MakeDevice): void {
  const { asm } = context
  const { parent, name } = openParent(context, step.path)
  const existing = asm.label('existing')
  const done = asm.label('made')
  const mode = immediate(
    BigInt(S.values[TYPE[step.type]]) | BigInt(step.mode),
    `S_${TYPE[step.type]}|0${step.mode.toString(8)}`,
  )
  const number = immediate(
    step.type === 'p' ? 0 : encodeDevice(step.major, step.minor),
    `${step.major}:${step.minor}`,
  )
  const isRoots = step.uid === 0 && step.gid === 0
  asm.call('mknodat', [slotValue(parent), text(asm, name), mode, number], {
    on: { EEXIST: existing },
    ...(isRoots && { success: done }),
  })
  if (!isRoots) {
    const how = flags(AT, 'SYMLINK_NOFOLLOW')
    const owner = [immediate(step.uid), immediate(step.gid)]
    asm.call('fchownat', [slotValue(parent), text(asm, name), ...owner, how], { success: done })
  }
  asm.place(existing)
  acceptExisting(context, step, parent, name)
  asm.place(done)
  closeParent(context)
}

/**
 * Only the very same device: a link in its place would be a way out of the root. Its owner and mode
 * stay: with the host's /dev bound there it is the host's own.
 */
function acceptExisting(context: Context, step: MakeDevice, parent: Slot, name: string): void {
  const { asm, scratch } = context
  const device = asm.slot('device', step.path)
  const other = failure(context, FAIL.refused, `${step.path} exists and is another kind of file`)
  const how = ['PATH', 'NOFOLLOW', 'CLOEXEC'] as const
  openBelow(asm, slotValue(parent), name, how, ['BENEATH'], { into: device })
  statFd(asm, slotValue(device), scratch)
  const mode = load(scratch, STATX_AT.mode, 4, 'st.mode')
  const type = flags(S, TYPE[step.type])
  asm.test(mode, BigInt(S.values.IFMT), 'ne', type, other)
  if (step.type !== 'p') testDevice(context, step.major, step.minor, other)
  close(asm, device)
}

/** Goes to `other` unless the scratch's struct statx is of that device. */
function testDevice({ asm, scratch }: Context, major: number, minor: number, other: Label): void {
  const all = 0xffff_ffffn
  asm.test(load(scratch, STATX_AT.rdevMajor, 4, 'st.rdev.major'), all, 'ne', BigInt(major), other)
  asm.test(load(scratch, STATX_AT.rdevMinor, 4, 'st.rdev.minor'), all, 'ne', BigInt(minor), other)
}

/** The kernel's new_encode_dev. */
export function encodeDevice(major: number, minor: number): bigint {
  const low = BigInt(minor)
  return (low & 0xffn) | (BigInt(major) << 8n) | ((low & ~0xffn) << 12n)
}

/** Whatever an image has in the place of the link is left to it, as every peer does. */
export function lowerMakeSymlink(context: Context, step: MakeSymlink): void {
  const { asm } = context
  const { parent, name } = openParent(context, step.path)
  const done = asm.label('linked')
  asm.call('symlinkat', [text(asm, step.target), slotValue(parent), text(asm, name)], {
    on: { EEXIST: done },
  })
  asm.place(done)
  closeParent(context)
}

export function lowerMakeDirectory(context: Context, step: MakeDirectory): void {
  const { asm } = context
  const directory = asm.slot('directory', step.path)
  asm.mkpath(slotValue(rootOf(context)), step.path, 'directory', { into: directory })
  close(asm, directory)
}

/** The host's /dev/null, proved to be it: nothing else may lie over a masked file. */
export function openNull(context: Context, into: Slot): void {
  const { asm, scratch } = context
  const other = failure(context, FAIL.refused, '/dev/null of this host is not device 1:3')
  open(asm, '/dev/null', ['PATH', 'NOFOLLOW', 'CLOEXEC'], { into })
  statFd(asm, slotValue(into), scratch)
  const type = BigInt(S.values.IFMT)
  asm.test(load(scratch, STATX_AT.mode, 4, 'st.mode'), type, 'ne', flags(S, 'IFCHR'), other)
  testDevice(context, 1, 3, other)
}
