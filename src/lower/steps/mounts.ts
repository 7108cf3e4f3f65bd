import { basename, dirname } from 'node:path/posix'
import type {
  BindMount,
  FilesystemParameter,
  MountAttribute,
  MountFilesystem,
  PropagationChange,
  Remount,
} from '../../plan/steps.ts'
import type { Assembler } from '../assembler.ts'
import { attach, cloneTree, close, openBelow, statFd, text } from '../calls.ts'
import { FSCONFIG, FSMOUNT, FSOPEN, flags, MOUNT_ATTR, NULL, RESOLVE, ZERO } from '../constants.ts'
import { addMeet, type Context, failure, isFinishedLater, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { changeMount } from '../mount-attributes.ts'
import { immediate, type Label, load, type Operand, type Slot, slotValue } from '../operands.ts'
import { attributeNames, STATX_AT } from '../structs.ts'
import { takeTree } from '../tree.ts'
import { mountClassically } from './classic-mount.ts'
import { noteProcfs, refuseProcfs } from './procfs.ts'

/** strndup_user(…, 256) in fsconfig(2): longer values are for mount(2). */
const VALUE_LIMIT = 255

/** Everything is completed while the mount is detached; it is attached once. */
export function lowerMountFilesystem(context: Context, step: MountFilesystem): void {
  // tmpfs, the only one to be copied into, has no parameter as long as that.
  if (fitsFsconfig(step) || step.copyUp) mountDetached(context, step)
  else mountClassically(context, step)
}

function mountDetached(context: Context, step: MountFilesystem): void {
  const { asm } = context
  const instead = step.bindInstead === undefined ? undefined : asm.label('bind')
  const mounted = asm.label('mounted')
  const mount = makeFilesystem(context, step, instead)
  if (step.bindInstead !== undefined && instead !== undefined) {
    asm.jump(mounted)
    asm.place(instead)
    cloneTree(asm, step.bindInstead, true, { into: mount })
    changeMount(asm, slotValue(mount), NO_CHANGE, { set: wishes(step), clear: [] }, [
      { propagation: 'slave', recursive: true },
    ])
    asm.place(mounted)
  }
  const target = asm.slot('target', step.destination)
  changeMount(asm, slotValue(mount), NO_CHANGE, NO_CHANGE, step.propagation)
  if (step.inheritsMode !== undefined) inheritMode(context, step, mount)
  openDestination(context, step, target)
  if (step.copyUp) copyUp(context, step, mount)
  attach(asm, mount, target)
  close(asm, target)
  if (step.label !== undefined) labelRoot(asm, mount, step.label)
  noteProcfs(context, step.destination, mount)
  keepOrClose(context, step.destination, mount)
}

/** An O_PATH fd, as fsmount(2) gives, takes no attributes. */
function labelRoot(asm: Assembler, mount: Slot, label: string): void {
  const root = asm.slot('labelled')
  openBelow(asm, slotValue(mount), '.', ['RDONLY', 'DIRECTORY', 'CLOEXEC'], ['BENEATH'], {
    into: root,
  })
  const value = text(asm, label)
  const size = immediate(Buffer.byteLength(label) + 1)
  asm.call('fsetxattr', [slotValue(root), text(asm, 'security.selinux'), value, size, ZERO])
  close(asm, root)
}

const NO_CHANGE = { set: [], clear: [] } as const

/** mount(2) has flags for them, fsconfig(2) no words. */
const CLASSIC_WORDS: readonly string[] = ['silent', 'iversion', 'acl']

function fitsFsconfig(step: MountFilesystem): boolean {
  if (step.parameters.some(({ key }) => CLASSIC_WORDS.includes(key))) return false
  const values = [step.source, ...step.parameters.map((parameter) => parameter.value ?? '')]
  return values.every((value) => Buffer.byteLength(value) <= VALUE_LIMIT)
}

/** Goes on at `denied` where the kernel lets us not mount that type here. */
function makeFilesystem(context: Context, step: MountFilesystem, denied?: Label): Slot {
  const { asm } = context
  const filesystem = asm.slot('fs', nameMount(step))
  const mount = mountSlot(context, step)
  const fs = slotValue(filesystem)
  const on = denied === undefined ? {} : { EPERM: denied }
  asm.call('fsopen', [text(asm, step.type), flags(FSOPEN, 'CLOEXEC')], { into: filesystem, on })
  const parameters = step.source === '' ? [] : [{ key: 'source', value: step.source }]
  configureFilesystem(asm, fs, [...parameters, ...step.parameters])
  asm.call('fsconfig', [fs, flags(FSCONFIG, 'CMD_CREATE'), NULL, NULL, ZERO], { on })
  const attributes = flags(MOUNT_ATTR, ...attributeNames({ set: wishes(step), clear: [] }).set)
  asm.call('fsmount', [fs, flags(FSMOUNT, 'CLOEXEC'), attributes], { into: mount, on })
  close(asm, filesystem)
  return mount
}

/** Words for mount(2) alone are left out: a filesystem that takes them is mounted by it. */
export function configureFilesystem(
  asm: Assembler,
  fs: Operand,
  parameters: readonly FilesystemParameter[],
): void {
  for (const { key, value } of parameters) {
    if (CLASSIC_WORDS.includes(key)) continue
    const command = flags(FSCONFIG, value === undefined ? 'SET_FLAG' : 'SET_STRING')
    const argument = value === undefined ? NULL : text(asm, value)
    asm.call('fsconfig', [fs, command, text(asm, key), argument, ZERO])
  }
}

/** A new mount has nothing below it, and only what is set: the last word is the recursive one. */
export function wishes(step: MountFilesystem): MountAttribute[] {
  const { attributes, recursiveAttributes } = step
  const own = attributes.set.filter((name) => !recursiveAttributes.clear.includes(name))
  return [...new Set([...own, ...recursiveAttributes.set])]
}

/** proc and sysfs are trusted by the container: not where a link of its image leads. */
export function openDestination(context: Context, step: MountFilesystem, target: Slot): void {
  const isTrusted = step.type === 'proc' || step.type === 'sysfs'
  if (isTrusted) {
    const reason =
      `${step.destination} is behind a symbolic link: ${step.type} is not mounted there ` +
      '(CVE-2023-27561)'
    context.asm.mkpath(slotValue(rootOf(context)), step.destination, 'directory', {
      into: target,
      resolve: flags(RESOLVE, 'NO_SYMLINKS'),
      on: { ELOOP: failure(context, FAIL.refused, reason) },
    })
  } else openTarget(context, step, 'directory', target)
}

/** What is mounted on, made if missing; with `nofollow` a link at its end is it itself. */
function openTarget(
  context: Context,
  { destination, nofollow }: MountFilesystem | BindMount,
  kind: 'directory' | 'file',
  into: Slot,
): void {
  const { asm } = context
  const root = slotValue(rootOf(context))
  if (nofollow === undefined) {
    asm.mkpath(root, destination, kind, { into })
    refuseProcfs(context, destination, into)
    return
  }
  const directory = asm.slot('directory', dirname(destination))
  const name = basename(destination)
  const missing = asm.label('missing')
  const opened = asm.label('opened')
  asm.mkpath(root, dirname(destination), 'directory', { into: directory })
  const how = ['PATH', 'NOFOLLOW', 'CLOEXEC'] as const
  openBelow(asm, slotValue(directory), name, how, ['BENEATH', 'NO_MAGICLINKS'], {
    into,
    on: { ENOENT: missing },
    success: opened,
  })
  asm.place(missing)
  asm.mkpath(slotValue(directory), name, kind, { into })
  asm.place(opened)
  close(asm, directory)
  refuseProcfs(context, destination, into)
}

/** Unless the destination has still to be made. */
function inheritMode(context: Context, step: MountFilesystem, mount: Slot): void {
  const { asm, scratch } = context
  const covered = asm.slot('covered', step.destination)
  const missing = asm.label('missing')
  const how = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const
  const within = ['IN_ROOT', 'NO_MAGICLINKS'] as const
  openBelow(asm, slotValue(rootOf(context)), step.destination, how, within, {
    into: covered,
    on: { '*': missing },
  })
  statFd(asm, slotValue(covered), scratch)
  close(asm, covered)
  const mode = load(scratch, STATX_AT.mode, 4, 'st.mode')
  asm.call('fchmodat', [slotValue(mount), text(asm, '.'), mode])
  asm.place(missing)
}

/** The runtime copies from what is there now into what will cover it. */
function copyUp(context: Context, step: MountFilesystem, mount: Slot): void {
  const { asm } = context
  const source = asm.slot('source', step.destination)
  openBelow(
    asm,
    slotValue(rootOf(context)),
    step.destination,
    ['RDONLY', 'DIRECTORY', 'CLOEXEC'],
    ['IN_ROOT', 'NO_MAGICLINKS'],
    { into: source },
  )
  asm.meet(addMeet(context, { kind: 'exchange', step }), 'copy what the destination holds', {
    fds: [slotValue(source), slotValue(mount)],
  })
  close(asm, source)
}

/** A mount that is kept has a variable of its own. */
export function mountSlot(context: Context, step: MountFilesystem | BindMount | Remount): Slot {
  const { destination } = step
  const of = describeSlot(step)
  const name = isFinishedLater(context, destination) ? `mount of ${destination}` : 'mount'
  return { ...context.asm.slot(name), name: 'mount', of }
}

function describeSlot(step: MountFilesystem | BindMount | Remount): string {
  if (step.kind === 'remount') return step.destination
  return step.kind === 'bind-mount' ? `${step.source} on ${step.destination}` : nameMount(step)
}

/** `tmpfs on /dev`, `ext4 /dev/sda1 on /data`. */
function nameMount({ type, source, destination }: MountFilesystem): string {
  const what = source === '' || source === type ? type : `${type} ${source}`
  return `${what} on ${destination}`
}

/** A mount that becomes read-only in the end is kept open until then. */
export function keepOrClose(context: Context, destination: string, mount: Slot): void {
  if (!isFinishedLater(context, destination)) {
    close(context.asm, mount)
    return
  }
  context.unfinished.set(destination, mount)
}

export function lowerBindMount(context: Context, step: BindMount): void {
  const { asm } = context
  const tree = mountSlot(context, step)
  const target = asm.slot('target', step.destination)
  if (step.openedBy === 'runtime') takeTree(context, step, tree)
  else {
    cloneTree(asm, step.source, step.recursive, { into: tree }, step.sourceNofollow)
    const { attributes, recursiveAttributes } = step
    changeMount(asm, slotValue(tree), attributes, recursiveAttributes, propagationOfBind(step))
  }
  openTarget(context, step, step.sourceKind, target)
  attach(asm, tree, target)
  close(asm, target)
  noteProcfs(context, step.destination, tree)
  keepOrClose(context, step.destination, tree)
}

/**
 * What nobody asked to be shared is a slave before it is seen: no mount of the container's may
 * appear on the host.
 */
export function propagationOfBind({ propagation, recursive }: BindMount): PropagationChange[] {
  const wished: readonly PropagationChange[] =
    propagation.length > 0 ? propagation : [{ propagation: 'slave', recursive: true }]
  // Of a tree that is one mount, all is said in one call.
  return wished.map((change) => ({ ...change, recursive: change.recursive && recursive }))
}
