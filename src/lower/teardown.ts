/**
 * The teardown program: what `delete` does, for the supervisor of a foreground `run`, which has no
 * Node any more. It knows the everyday case only; whatever else it finds ends it with a failure,
 * and `delete --force` does the rest.
 */
import type { Phase } from '../plan/phases.ts'
import type { MakeCgroup, RecordCreated, RunHook } from '../plan/steps.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { type Assembler, createAssembler, type Program } from './assembler.ts'
import { close, open, text } from './calls.ts'
import { AT, AT_FDCWD, flags, LOCK, MFD, NULL, O, STATX, ZERO } from './constants.ts'
import { FAIL } from './fail-codes.ts'
import { ALL_BITS, address, immediate, type Label, load, type Slot, slotValue } from './operands.ts'
import { hookSlots, runHook } from './steps/hooks.ts'
import { encodeTimespec, STATX_AT, STATX_SIZE } from './structs.ts'

export interface Teardown {
  readonly architecture: Architecture
  /** Directories to remove, in this order: deepest first. */
  readonly cgroups: readonly { readonly path: string; readonly version: 1 | 2 }[]
  /** Directories above them that create made: removed unless another container lives there. */
  readonly parents: readonly string[]
  /** Further directories that went with the container alone, the deepest first. */
  readonly directories?: readonly string[]
  /** `state` is the hook's stdin. */
  readonly poststop: readonly { readonly step: RunHook; readonly state: Uint8Array }[]
  /** A unit of systemd, which has to be told: nothing that a program of system calls can do. */
  readonly unit?: string
  /** cwd of the hooks. */
  readonly bundle: string
  /** Removed with these files in it. */
  readonly stateDirectory: StateDirectory
}

export interface StateDirectory {
  readonly path: string
  readonly files: readonly string[]
  /** Empty then, and removed too. */
  readonly directories: readonly string[]
  /** Inode and time of birth: a later container of the same name has others. */
  readonly inode: bigint
  readonly birth: { readonly seconds: bigint; readonly nanoseconds: bigint }
}

const WORD = 0xffff_ffffn

/** How long rmdir waits for the kernel to take the last process out: 3 s in all. */
const PAUSES_MS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]

/** Lowers a teardown; the program takes no fds and meets nobody. */
export function lowerTeardown(teardown: Teardown): Program {
  const asm = createAssembler(teardown.architecture)
  const done = asm.label('done')
  asm.begin(UNDONE_RECORD)
  if (teardown.unit !== undefined) {
    asm.fail(FAIL.refused, `unit ${teardown.unit} has to be stopped`)
    return asm.finish()
  }
  const directory = lockStateDirectory(asm, teardown.stateDirectory, done)
  for (const { path, version } of teardown.cgroups) {
    asm.begin(undoneCgroup(path))
    if (version === 2) killCgroup(asm, path)
  }
  for (const { path } of teardown.cgroups) {
    asm.begin(undoneCgroup(path))
    removeCgroup(asm, path)
  }
  for (const path of teardown.parents) {
    asm.begin(undoneCgroup(path))
    const next = asm.label('left')
    asm.call('unlinkat', [AT_FDCWD, text(asm, path), flags(AT, 'REMOVEDIR')], { on: { '*': next } })
    asm.place(next)
  }
  for (const path of teardown.directories ?? []) {
    asm.begin(undoneCgroup(path))
    const next = asm.label('gone')
    const operands = [AT_FDCWD, text(asm, path), flags(AT, 'REMOVEDIR')]
    asm.call('unlinkat', operands, { on: { ENOENT: next } })
    asm.place(next)
  }
  for (const { step, state } of teardown.poststop) {
    asm.begin(step)
    runPoststopHook(asm, step, state, teardown.bundle)
  }
  asm.begin(UNDONE_RECORD)
  removeStateDirectory(asm, teardown.stateDirectory, directory)
  asm.place(done)
  asm.call('exit_group', [ZERO])
  return asm.finish()
}

const LAST: { phase: Phase; origin: '' } = { phase: 'poststop', origin: '' }

/** The instructions of a teardown belong to the steps that they undo. */
const UNDONE_RECORD: RecordCreated = { ...LAST, kind: 'record-created' }

function undoneCgroup(path: string): MakeCgroup {
  return { ...LAST, kind: 'make-cgroup', hierarchy: path, path: '/', inherit: [], enable: [] }
}

/**
 * As any command that changes a container. Who waited may find that `delete` did it all, and that
 * name and cgroups are another container's by now.
 */
function lockStateDirectory(asm: Assembler, directory: StateDirectory, done: Label): Slot {
  const { path, inode, birth } = directory
  const fd = asm.slot('directory')
  const how = ['RDONLY', 'DIRECTORY', 'NOFOLLOW', 'CLOEXEC'] as const
  open(asm, path, how, { into: fd, on: { ENOENT: done } })
  asm.call('flock', [slotValue(fd), flags(LOCK, 'EX')], { on: { EINTR: 'retry' } })
  const found = asm.bytes(STATX_SIZE)
  const what = flags(STATX, 'NLINK', 'INO', 'BTIME')
  const empty = flags(AT, 'EMPTY_PATH')
  asm.call('statx', [slotValue(fd), text(asm, ''), empty, what, address(found, '&st')])
  const { nlink, inode: number, birthSeconds, birthNanoseconds } = STATX_AT
  asm.test(load(found, nlink, 4, 'st.nlink'), WORD, 'eq', 0n, done)
  asm.test(load(found, number, 8, 'st.ino'), ALL_BITS, 'ne', inode, done)
  asm.test(load(found, birthSeconds, 8, 'st.btime'), ALL_BITS, 'ne', birth.seconds, done)
  const nanoseconds = load(found, birthNanoseconds, 4, 'st.btime.nsec')
  asm.test(nanoseconds, WORD, 'ne', birth.nanoseconds, done)
  return fd
}

function killCgroup(asm: Assembler, path: string): void {
  const file = asm.slot('kill')
  const gone = asm.label('killed')
  open(asm, `${path}/cgroup.kill`, ['WRONLY', 'CLOEXEC'], { into: file, on: { ENOENT: gone } })
  asm.call('write', [slotValue(file), text(asm, '1'), immediate(1)])
  close(asm, file)
  asm.place(gone)
}

/** A cgroup is busy for a moment after its last process was killed. */
function removeCgroup(asm: Assembler, path: string): void {
  const done = asm.label('removed')
  const remove = (busy: Label): void => {
    const operands = [AT_FDCWD, text(asm, path), flags(AT, 'REMOVEDIR')]
    asm.call('unlinkat', operands, { on: { EBUSY: busy, ENOENT: done }, success: done })
    asm.place(busy)
  }
  for (const pause of PAUSES_MS) {
    remove(asm.label('busy'))
    const time = address(asm.bytes(encodeTimespec(BigInt(pause) * 1_000_000n)), `{${pause} ms}`)
    asm.call('nanosleep', [time, NULL])
  }
  remove(asm.label('busy'))
  asm.fail(FAIL.cgroupBusy, `${path} is still in use`)
  asm.place(done)
}

/** Output without a file of the host is for nobody: there is no command to report it. */
function runPoststopHook(asm: Assembler, step: RunHook, bytes: Uint8Array, bundle: string): void {
  const { state, stdout, stderr } = hookSlots(asm)
  openOutput(asm, state, undefined)
  openOutput(asm, stdout, step.stdout)
  openOutput(asm, stderr, step.stderr)
  const content = address(asm.bytes(bytes), 'state')
  asm.call('write', [slotValue(state), content, immediate(bytes.length)])
  asm.call('lseek', [slotValue(state), ZERO, ZERO])
  // One that fails is no reason to run those before it again, as `delete --force` would.
  runHook(asm, step, { state, stdout, stderr, directory: bundle, tolerant: true })
}

function openOutput(asm: Assembler, slot: Slot, path: string | undefined): void {
  if (path === undefined) {
    asm.call('memfd_create', [text(asm, 'tsrunc-hook'), flags(MFD, 'CLOEXEC')], { into: slot })
    return
  }
  const how = flags(O[asm.architecture], 'WRONLY', 'CREAT', 'APPEND', 'CLOEXEC')
  asm.call('openat', [AT_FDCWD, text(asm, path), how, immediate(0o600, '0600')], { into: slot })
}

function removeStateDirectory(asm: Assembler, directory: StateDirectory, fd: Slot): void {
  for (const file of directory.files) {
    const next = asm.label('unlinked')
    asm.call('unlinkat', [slotValue(fd), text(asm, file), ZERO], { on: { ENOENT: next } })
    asm.place(next)
  }
  for (const name of directory.directories) {
    const next = asm.label('unlinked')
    asm.call('unlinkat', [slotValue(fd), text(asm, name), flags(AT, 'REMOVEDIR')], {
      on: { ENOENT: next },
    })
    asm.place(next)
  }
  asm.call('unlinkat', [AT_FDCWD, text(asm, directory.path), flags(AT, 'REMOVEDIR')])
}
