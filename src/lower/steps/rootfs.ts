import { dirname } from 'node:path/posix'
import type {
  BindRootfs,
  EnterRoot,
  FinishReadonly,
  PropagationChange,
  SetPropagation,
} from '../../plan/steps.ts'
import { attach, cloneMount, cloneTree, close, open, text } from '../calls.ts'
import { AT_FDCWD, CLONE, flags, MNT, MOVE_MOUNT } from '../constants.ts'
import { type Context, isFinishedLater, isNeededLater, rootOf } from '../context.ts'
import { changeMount, setAttributes } from '../mount-attributes.ts'
import { slotValue } from '../operands.ts'
import { mountProcfs } from '../procfs.ts'
import { closeRoot } from '../root.ts'
import { takeTree } from '../tree.ts'

const NOTHING = { set: [], clear: [] } as const
const READ_ONLY = { set: ['rdonly'], clear: [] } as const

export function lowerPropagation({ asm }: Context, step: SetPropagation): void {
  setAttributes(asm, AT_FDCWD, '/', { attributes: NOTHING, ...step.change })
}

/** The tree that is bound is the root from now on: everything below it goes through its fd. */
export function lowerBindRootfs(context: Context, step: BindRootfs): void {
  const { asm } = context
  if (step.privateParent) makeParentPrivate(context, step.path)
  const rootfs = asm.slot('rootfs')
  const target = asm.slot('target', step.path)
  if (step.openedBy === 'runtime') takeTree(context, step, rootfs)
  else {
    cloneTree(asm, step.path, true, { into: rootfs })
    changeMount(asm, slotValue(rootfs), NOTHING, NOTHING, [propagationOfRootfs(step)])
  }
  open(asm, step.path, ['PATH', 'DIRECTORY', 'NOFOLLOW', 'CLOEXEC'], { into: target })
  attach(asm, rootfs, target)
  close(asm, target)
  context.root = rootfs
  // After pivot_root there may be no procfs in sight that allows for one more.
  if (isNeededLater(context, 'set-exec-label')) mountProcfs(context)
}

/** Of the tree while it is detached: no mount made in it may appear on the host. */
export function propagationOfRootfs({ privateParent }: BindRootfs): PropagationChange {
  return privateParent
    ? { propagation: 'private', recursive: false }
    : { propagation: 'slave', recursive: true }
}

/** Upwards until a path is a mount point, which mount_setattr(2) demands; `/` always is one. */
function makeParentPrivate({ asm }: Context, path: string): void {
  const done = asm.label('private')
  const change = { attributes: NOTHING, propagation: 'private', recursive: false } as const
  for (let at = path; at !== '/'; at = dirname(at)) {
    const upwards = asm.label('upwards')
    setAttributes(asm, AT_FDCWD, at, change, { on: { EINVAL: upwards }, success: done })
    asm.place(upwards)
  }
  setAttributes(asm, AT_FDCWD, '/', change)
  asm.place(done)
}

export function lowerFinishReadonly(context: Context, step: FinishReadonly): void {
  const { asm, unfinished } = context
  const mount = step.destination === '/' ? rootOf(context) : unfinished.get(step.destination)
  if (mount === undefined) throw new Error(`lowering: no mount at ${step.destination}`)
  const change = { attributes: READ_ONLY, recursive: false }
  setAttributes(asm, slotValue(mount), '', change)
  if (step.destination !== '/' && !isFinishedLater(context, step.destination)) close(asm, mount)
}

export function lowerEnterRoot(context: Context, step: EnterRoot): void {
  const { asm } = context
  if (step.method === 'chroot') leaveWithCopy(context)
  const root = rootOf(context)
  asm.call('fchdir', [slotValue(root)])
  if (step.method === 'pivot') pivot(context)
  if (step.method === 'move') {
    const how = flags(MOVE_MOUNT, 'F_EMPTY_PATH')
    asm.call('move_mount', [slotValue(root), text(asm, ''), AT_FDCWD, text(asm, '/'), how])
  }
  if (step.method !== 'pivot') asm.call('chroot', [text(asm, '.')])
  asm.call('chdir', [text(asm, '/')])
  if (step.propagation !== undefined) {
    setAttributes(asm, AT_FDCWD, '/', { attributes: NOTHING, ...step.propagation })
  }
  if (!isNeededLater(context, 'change-directory', 'read-home')) closeRoot(context)
}

/**
 * Back to the runtime's mount namespace. The finished tree goes along as a copy that is attached
 * nowhere: it lives for as long as processes have their root in it, close(2) of its fd leaves it
 * whole (dissolve_on_fput: UMOUNT_CONNECTED), and nothing is above its root that `..` could lead
 * to. So the host's mounts are never touched, and nothing has to be undone.
 */
function leaveWithCopy(context: Context): void {
  const { asm, mountNamespace } = context
  if (mountNamespace === undefined) throw new Error('lowering: no mount namespace to go back to')
  const copy = asm.slot('copy')
  cloneMount(asm, slotValue(rootOf(context)), true, { into: copy })
  closeRoot(context)
  asm.call('setns', [slotValue(mountNamespace), flags(CLONE, 'NEWNS')])
  close(asm, mountNamespace)
  context.root = copy
}

/** pivot_root(".", ".") stacks the old root upon the new one, from where it is unmounted. */
function pivot({ asm }: Context): void {
  const old = asm.slot('oldroot')
  const here = text(asm, '.')
  open(asm, '/', ['PATH', 'DIRECTORY', 'CLOEXEC'], { into: old })
  asm.call('pivot_root', [here, here])
  // Else the unmounting below would be repeated in the host's mount namespace.
  setAttributes(asm, slotValue(old), '', {
    attributes: NOTHING,
    propagation: 'slave',
    recursive: true,
  })
  close(asm, old)
  asm.call('umount2', [here, flags(MNT, 'DETACH')])
}
