import type {
  BindMount,
  MountAttribute,
  MountFilesystem,
  PropagationChange,
} from '../../plan/steps.ts'
import { attach, cloneTree, close, openBelow, text } from '../calls.ts'
import { FSCONFIG, FSMOUNT, FSOPEN, flags, MOUNT_ATTR, NULL, RESOLVE, ZERO } from '../constants.ts'
import { addMeet, type Context, failure, isFinishedLater, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { changeMount } from '../mount-attributes.ts'
import { type Slot, slotValue } from '../operands.ts'
import { attributeNames } from '../structs.ts'
import { mountClassically } from './classic-mount.ts'

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
  const mount = makeFilesystem(context, step)
  const target = asm.slot('target', step.destination)
  changeMount(asm, slotValue(mount), NO_CHANGE, NO_CHANGE, step.propagation)
  openDestination(context, step, target)
  if (step.copyUp) copyUp(context, step, mount)
  attach(asm, mount, target)
  close(asm, target)
  keepOrClose(context, step.destination, mount)
}

const NO_CHANGE = { set: [], clear: [] } as const

function fitsFsconfig(step: MountFilesystem): boolean {
  const values = [step.source, ...step.parameters.map((parameter) => parameter.value ?? '')]
  return values.every((value) => Buffer.byteLength(value) <= VALUE_LIMIT)
}

function makeFilesystem(context: Context, step: MountFilesystem): Slot {
  const { asm } = context
  const filesystem = asm.slot('fs', nameMount(step))
  const mount = mountSlot(context, step)
  const fs = slotValue(filesystem)
  asm.call('fsopen', [text(asm, step.type), flags(FSOPEN, 'CLOEXEC')], {
    into: filesystem,
  })
  const parameters = step.source === '' ? [] : [{ key: 'source', value: step.source }]
  for (const { key, value } of [...parameters, ...step.parameters]) {
    const command = flags(FSCONFIG, value === undefined ? 'SET_FLAG' : 'SET_STRING')
    const argument = value === undefined ? NULL : text(asm, value)
    asm.call('fsconfig', [fs, command, text(asm, key), argument, ZERO])
  }
  asm.call('fsconfig', [fs, flags(FSCONFIG, 'CMD_CREATE'), NULL, NULL, ZERO])
  const attributes = flags(MOUNT_ATTR, ...attributeNames({ set: wishes(step), clear: [] }).set)
  asm.call('fsmount', [fs, flags(FSMOUNT, 'CLOEXEC'), attributes], { into: mount })
  close(asm, filesystem)
  return mount
}

/** A new mount has nothing below it, and only what is set: the last word is the recursive one. */
export function wishes(step: MountFilesystem): MountAttribute[] {
  const { attributes, recursiveAttributes } = step
  const own = attributes.set.filter((name) => !recursiveAttributes.clear.includes(name))
  return [...new Set([...own, ...recursiveAttributes.set])]
}

/** proc and sysfs are trusted by the container: not where a link of its image leads. */
export function openDestination(context: Context, step: MountFilesystem, target: Slot): void {
  const root = slotValue(rootOf(context))
  const isTrusted = step.type === 'proc' || step.type === 'sysfs'
  context.asm.mkpath(root, step.destination, 'directory', {
    into: target,
    ...(isTrusted && {
      resolve: flags(RESOLVE, 'NO_SYMLINKS'),
      on: {
        ELOOP: failure(
          context,
          FAIL.refused,
          `${step.destination} is behind a symbolic link: ${step.type} is not mounted there ` +
            '(CVE-2023-27561)',
        ),
      },
    }),
  })
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
export function mountSlot(context: Context, step: MountFilesystem | BindMount): Slot {
  const { destination } = step
  const of = step.kind === 'bind-mount' ? `${step.source} on ${destination}` : nameMount(step)
  const name = isFinishedLater(context, destination) ? `mount of ${destination}` : 'mount'
  return { ...context.asm.slot(name), name: 'mount', of }
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
  cloneTree(asm, step.source, step.recursive, { into: tree })
  // What nobody asked to be shared is a slave before it is seen: no mount of the container's may
  // appear on the host.
  const wished: readonly PropagationChange[] =
    step.propagation.length > 0 ? step.propagation : [{ propagation: 'slave', recursive: true }]
  const propagation = wished.map((change) => ({
    ...change,
    // Of a tree that is one mount, all is said in one call.
    recursive: change.recursive && step.recursive,
  }))
  changeMount(asm, slotValue(tree), step.attributes, step.recursiveAttributes, propagation)
  asm.mkpath(slotValue(rootOf(context)), step.destination, step.sourceKind, { into: target })
  attach(asm, tree, target)
  close(asm, target)
  keepOrClose(context, step.destination, tree)
}
