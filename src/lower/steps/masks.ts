import type { FilesystemParameter, MakePathReadonly, MaskPath } from '../../plan/steps.ts'
import { attach, cloneMount, close, openBelow, text } from '../calls.ts'
import {
  FSCONFIG,
  FSMOUNT,
  FSOPEN,
  flags,
  MOUNT_ATTR,
  NULL,
  type OpenFlag,
  ZERO,
} from '../constants.ts'
import { type Context, isNeededLater, type MaskSource, rootOf } from '../context.ts'
import type { Rules } from '../instructions.ts'
import { setAttributes } from '../mount-attributes.ts'
import { ALL_BITS, immediate, type Label, type Slot, slotValue } from '../operands.ts'
import { openNull } from './devices.ts'
import { configureFilesystem } from './mounts.ts'

/** What is missing, or cannot be reached even by us, needs no mask. */
function openMasked(
  { asm, root }: { asm: Context['asm']; root: Slot },
  path: string,
  how: readonly OpenFlag[],
  into: Slot,
  on: Rules,
): void {
  openBelow(asm, slotValue(root), path, how, ['IN_ROOT', 'NO_MAGICLINKS'], { into, on })
}

export function lowerMaskPath(context: Context, step: MaskPath): void {
  const { asm } = context
  const at = { asm, root: rootOf(context) }
  context.maskDirectory ??= prepareDirectory(context, step.context)
  context.maskFile ??= prepareFile(context)
  const target = asm.slot('target', step.path)
  const file = asm.label('file')
  const done = asm.label('masked')
  const directory = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const
  openMasked(at, step.path, directory, target, { ENOENT: done, ENOTDIR: file, EACCES: done })
  attachCopy(context, context.maskDirectory, target, done)
  asm.place(file)
  openMasked(at, step.path, ['PATH', 'CLOEXEC'], target, {
    ENOENT: done,
    ENOTDIR: done,
    EACCES: done,
  })
  attachCopy(context, context.maskFile, target)
  asm.place(done)
  if (isNeededLater(context, 'mask-path')) return
  close(asm, context.maskDirectory.tree)
  close(asm, context.maskFile.tree)
}

/** A detached tree cannot be copied before Linux 6.15: each copy is made of one that is in place. */
function attachCopy({ asm }: Context, source: MaskSource, target: Slot, next?: Label): void {
  const { tree, attached } = source
  const place = asm.label('attach')
  const copy = asm.slot('copy')
  asm.test(slotValue(attached), ALL_BITS, 'eq', 0n, place)
  cloneMount(asm, slotValue(tree), false, { into: copy })
  close(asm, tree)
  asm.set(tree, slotValue(copy))
  asm.place(place)
  attach(asm, tree, target)
  asm.set(attached, immediate(1))
  asm.call('close', [slotValue(target)], next === undefined ? {} : { success: next })
}

function prepareDirectory({ asm }: Context, label: FilesystemParameter | undefined): MaskSource {
  const filesystem = asm.slot('fs')
  const tree = asm.slot('emptydir')
  const attached = asm.slot('emptydir.attached')
  const fs = slotValue(filesystem)
  asm.call('fsopen', [text(asm, 'tmpfs'), flags(FSOPEN, 'CLOEXEC')], { into: filesystem })
  const room = ['nr_blocks', 'nr_inodes'].map((key) => ({ key, value: '1' }))
  configureFilesystem(asm, fs, label === undefined ? room : [...room, label])
  asm.call('fsconfig', [fs, flags(FSCONFIG, 'CMD_CREATE'), NULL, NULL, ZERO])
  const attributes = flags(MOUNT_ATTR, 'RDONLY', 'NOSUID', 'NODEV', 'NOEXEC')
  asm.call('fsmount', [fs, flags(FSMOUNT, 'CLOEXEC'), attributes], { into: tree })
  close(asm, filesystem)
  asm.set(attached, immediate(0))
  return { tree, attached }
}

function prepareFile(context: Context): MaskSource {
  const { asm } = context
  const device = asm.slot('null')
  const tree = asm.slot('null.tree')
  const attached = asm.slot('null.attached')
  openNull(context, device)
  cloneMount(asm, slotValue(device), false, { into: tree })
  close(asm, device)
  // Read-only: chmod of a masked file must not reach the inode of the host's /dev/null.
  setAttributes(asm, slotValue(tree), '', {
    attributes: { set: ['rdonly', 'nosuid', 'noexec'], clear: [] },
    propagation: 'private',
    recursive: false,
  })
  asm.set(attached, immediate(0))
  return { tree, attached }
}

export function lowerReadonlyPath(context: Context, step: MakePathReadonly): void {
  const { asm } = context
  const target = asm.slot('target', step.path)
  const tree = asm.slot('tree', step.path)
  const done = asm.label('readonly')
  const on = { ENOENT: done, ENOTDIR: done, EACCES: done }
  openMasked({ asm, root: rootOf(context) }, step.path, ['PATH', 'CLOEXEC'], target, on)
  cloneMount(asm, slotValue(target), true, { into: tree })
  // Of itself alone, as in runc: what is mounted below was asked for by the config.
  const attributes = { set: ['rdonly'], clear: [] } as const
  setAttributes(asm, slotValue(tree), '', { attributes, recursive: false })
  attach(asm, tree, target)
  close(asm, tree)
  close(asm, target)
  asm.place(done)
}
