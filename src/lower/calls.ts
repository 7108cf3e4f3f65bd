/** System calls in the forms that steps need them in. */
import type { Assembler } from './assembler.ts'
import {
  AT,
  AT_FDCWD,
  either,
  flags,
  MOVE_MOUNT,
  NULL,
  O,
  OPEN_TREE,
  type OpenFlag,
  RESOLVE,
  type ResolveFlag,
  STATX,
  WAIT,
  ZERO,
} from './constants.ts'
import type { CallOptions } from './instructions.ts'
import {
  address,
  type DataRef,
  immediate,
  load,
  type Operand,
  type Slot,
  showText,
  slotValue,
} from './operands.ts'
import { encodeOpenHow, OPEN_HOW_SIZE } from './structs.ts'

/** A string as an operand. */
export function text(asm: Assembler, value: string): Operand {
  return address(asm.string(value), showText(value))
}

export function close(asm: Assembler, fd: Slot): void {
  asm.call('close', [slotValue(fd)])
}

export function open(
  asm: Assembler,
  path: string,
  how: readonly OpenFlag[],
  options: CallOptions,
): void {
  const operands = [AT_FDCWD, text(asm, path), flags(O[asm.architecture], ...how), ZERO]
  asm.call('openat', operands, options)
}

/** openat2(2). While anyone on the host mounts or renames, it may have to begin again. */
export function openBelow(
  asm: Assembler,
  directory: Operand,
  path: string,
  how: readonly OpenFlag[],
  resolve: readonly ResolveFlag[],
  options: CallOptions,
): void {
  const open = flags(O[asm.architecture], ...how)
  const resolution = flags(RESOLVE, ...resolve)
  const struct = asm.bytes(encodeOpenHow(open.value, resolution.value))
  const shown = `{${open.show}, ${resolution.show}}`
  asm.call(
    'openat2',
    [directory, text(asm, path), address(struct, shown), immediate(OPEN_HOW_SIZE)],
    { ...options, on: { EAGAIN: 'retry', ...options.on } },
  )
}

/** open_tree(2) of a path, detached. */
export function cloneTree(
  asm: Assembler,
  path: string,
  recursive: boolean,
  options: CallOptions,
  nofollow = false,
): void {
  const at = [
    ...(recursive ? (['RECURSIVE'] as const) : []),
    ...(nofollow ? (['SYMLINK_NOFOLLOW'] as const) : []),
  ]
  const how = either(flags(OPEN_TREE, 'CLONE', 'CLOEXEC'), flags(AT, ...at))
  asm.call('open_tree', [AT_FDCWD, text(asm, path), how], options)
}

/** open_tree(2) of what an fd stands for, detached. */
export function cloneMount(
  asm: Assembler,
  fd: Operand,
  recursive: boolean,
  options: CallOptions,
): void {
  const at = recursive ? (['EMPTY_PATH', 'RECURSIVE'] as const) : (['EMPTY_PATH'] as const)
  const how = either(flags(OPEN_TREE, 'CLONE', 'CLOEXEC'), flags(AT, ...at))
  asm.call('open_tree', [fd, text(asm, ''), how], options)
}

/** move_mount(2) of a detached tree onto an fd. */
export function attach(asm: Assembler, tree: Slot, target: Slot, options: CallOptions = {}): void {
  const empty = text(asm, '')
  const how = flags(MOVE_MOUNT, 'F_EMPTY_PATH', 'T_EMPTY_PATH')
  asm.call('move_mount', [slotValue(tree), empty, slotValue(target), empty, how], options)
}

/** statx(2) of an fd. */
export function statFd(
  asm: Assembler,
  fd: Operand,
  into: DataRef,
  options: CallOptions = {},
): void {
  const empty = text(asm, '')
  const operands = [fd, empty, flags(AT, 'EMPTY_PATH'), flags(STATX, 'TYPE', 'MODE', 'UID')]
  asm.call('statx', [...operands, address(into, '&st')], options)
}

/** fstatfs(2): the magic number of the filesystem that an fd is in, 64 bits (FS_MAGIC). */
export function loadFilesystemType(asm: Assembler, fd: Operand, into: DataRef): Operand {
  asm.call('fstatfs', [fd, address(into, '&fs')])
  return load(into, 0, 8, 'fs.f_type')
}

/** prctl(2); the arguments that are left out are zero. */
export function control(asm: Assembler, operation: Operand, ...values: readonly Operand[]): void {
  asm.call('prctl', [operation, ...[0, 1, 2, 3].map((i) => values[i] ?? ZERO)])
}

/** waitid(2): until the child has ended, and reaps it. `info` is a siginfo_t, or NULL. */
export function awaitChild(asm: Assembler, pidfd: Operand, info: Operand): void {
  asm.call('waitid', [flags(WAIT, 'P_PIDFD'), pidfd, info, flags(WAIT, 'WEXITED'), NULL], {
    on: { EINTR: 'retry' },
  })
}
