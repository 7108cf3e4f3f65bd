/**
 * mount(2), where a parameter is longer than fsconfig(2) takes, as those of overlayfs are, or none
 * that it knows.
 */
import { isContextType } from '../../plan/mount-context.ts'
import type { FilesystemParameter, MountAttribute, MountFilesystem } from '../../plan/steps.ts'
import { close, text } from '../calls.ts'
import { flags, MS, NULL } from '../constants.ts'
import type { Context } from '../context.ts'
import { isFinishedLater } from '../context.ts'
import { changeMount } from '../mount-attributes.ts'
import { address, slotValue } from '../operands.ts'
import { keepOrClose, mountSlot, openDestination, wishes } from './mounts.ts'

const ATTRIBUTE: Readonly<Record<MountAttribute, keyof typeof MS.values>> = {
  rdonly: 'RDONLY',
  nosuid: 'NOSUID',
  nodev: 'NODEV',
  noexec: 'NOEXEC',
  noatime: 'NOATIME',
  strictatime: 'STRICTATIME',
  relatime: 'RELATIME',
  nodiratime: 'NODIRATIME',
  nosymfollow: 'NOSYMFOLLOW',
}

/** What fsconfig(2) takes as words, and three more, is flags here; 'default': the flag's absence. */
const SUPERBLOCK: Readonly<Record<string, keyof typeof MS.values | 'default'>> = {
  ro: 'RDONLY',
  sync: 'SYNCHRONOUS',
  dirsync: 'DIRSYNC',
  lazytime: 'LAZYTIME',
  mand: 'MANDLOCK',
  silent: 'SILENT',
  iversion: 'I_VERSION',
  acl: 'POSIXACL',
  rw: 'default',
  async: 'default',
  nolazytime: 'default',
  nomand: 'default',
}

/** Into the directory that an fd stands for: still no path below the root. */
export function mountClassically(context: Context, step: MountFilesystem): void {
  const { asm } = context
  const target = asm.slot('target', step.destination)
  openDestination(context, step, target)
  asm.call('fchdir', [slotValue(target)])
  const words = step.parameters.filter(({ key }) => Object.hasOwn(SUPERBLOCK, key))
  const superblock = words.map(({ key }) => SUPERBLOCK[key] ?? 'default')
  const data = step.parameters
    .filter((parameter) => !words.includes(parameter))
    .map(showParameter)
    .join(',')
  asm.call('mount', [
    text(asm, step.source),
    address(asm.string('.'), `.<${step.destination}>`),
    text(asm, step.type),
    flags(
      MS,
      ...wishes(step).map((name) => ATTRIBUTE[name]),
      ...superblock.filter((name) => name !== 'default'),
    ),
    data === '' ? NULL : text(asm, data),
  ])
  finishMount(context, step)
  close(asm, target)
}

/** A label has commas between its categories. */
function showParameter({ key, value }: FilesystemParameter): string {
  if (value === undefined) return key
  return isContextType(key) && value.includes(',') ? `${key}="${value}"` : `${key}=${value}`
}

/** The mount has no fd of its own yet: the path leads to it now. */
function finishMount(context: Context, step: MountFilesystem): void {
  if (step.propagation.length === 0 && !isFinishedLater(context, step.destination)) return
  const { asm } = context
  const mount = mountSlot(context, step)
  openDestination(context, step, mount)
  const nothing = { set: [], clear: [] }
  changeMount(asm, slotValue(mount), nothing, nothing, step.propagation)
  keepOrClose(context, step.destination, mount)
}
