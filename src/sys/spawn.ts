/** Starting the executor: posix_spawn(3) with an exact set of fds and nothing else inherited. */
import { SyscallError } from '../errors.ts'
import { errnoName } from './errno.ts'
import { closeFd, duplicateFd } from './fd.ts'
import { addressOf, bindLibc, callKernel } from './ffi.ts'

/** Generous for glibc on x86-64 (336 and 80 bytes) and arm64. */
const OPAQUE_SIZE = 512
const POSIX_SPAWN_SETSIGDEF = 4
const POSIX_SPAWN_SETSIGMASK = 8
const SIGSET_SIZE = 128
const LAST_FD = 0xffff_ffff
const CLOSE_RANGE_CLOEXEC = 4

export interface DescriptorMapping {
  readonly from: number
  readonly to: number
}

/**
 * Runs the file behind an fd in a new process: these fds, default signal dispositions, an empty
 * signal mask, an empty environment. All other fds of this process become close-on-exec: Node sees
 * to that for those it opens, and of those it was started with only for some. Returns its pid; reap
 * it.
 *
 * posix_spawn, since fork(2) is undefined under V8 and Node's own spawn cannot be waited for
 * synchronously while it talks to us.
 */
export function spawnExecutable(
  executable: number,
  argv: readonly string[],
  mappings: readonly DescriptorMapping[],
): number {
  const actions = Buffer.alloc(OPAQUE_SIZE)
  const attributes = Buffer.alloc(OPAQUE_SIZE)
  const staged: number[] = []
  // Beyond every target: a target may be the number of another's source, or of the executable.
  const lowest = Math.max(2, ...mappings.map(({ to }) => to)) + 1
  callKernel('close_range', [3, LAST_FD, CLOSE_RANGE_CLOEXEC], 'close_range(3, ~0U, CLOEXEC)')
  check('posix_spawn_file_actions_init', [actions], 'void *')
  check('posix_spawnattr_init', [attributes], 'void *')
  try {
    const stage = (fd: number): number => {
      const copy = duplicateFd(fd, lowest)
      staged.push(copy)
      return copy
    }
    for (const { from, to } of mappings) {
      const copy = stage(from)
      check('posix_spawn_file_actions_adddup2', [actions, copy, to], 'void *, int, int')
    }
    setSignals(attributes)
    return spawn(`/proc/self/fd/${stage(executable)}`, actions, attributes, argv)
  } finally {
    staged.forEach(closeFd)
    check('posix_spawn_file_actions_destroy', [actions], 'void *')
    check('posix_spawnattr_destroy', [attributes], 'void *')
  }
}

function setSignals(attributes: Buffer): void {
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
  check('posix_spawnattr_setflags', [attributes, flags], 'void *, short')
  check('posix_spawnattr_setsigmask', [attributes, Buffer.alloc(SIGSET_SIZE)], 'void *, void *')
  const all = Buffer.alloc(SIGSET_SIZE, 0xff)
  check('posix_spawnattr_setsigdefault', [attributes, all], 'void *, void *')
}

function spawn(path: string, actions: Buffer, attributes: Buffer, argv: readonly string[]): number {
  const pid = Buffer.alloc(4)
  const name = Buffer.from(`${path}\0`)
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`))
  const vector = Buffer.alloc((strings.length + 1) * 8)
  strings.forEach((string, index) => {
    vector.writeBigUInt64LE(addressOf(string), index * 8)
  })
  const environment = Buffer.alloc(8)
  check(
    'posix_spawn',
    [pid, name, actions, attributes, vector, environment],
    'void *, void *, void *, void *, void *, void *',
  )
  return pid.readInt32LE(0)
}

/** These functions return the errno itself. */
function check(name: string, args: readonly unknown[], parameters: string): void {
  const result = Number(bindLibc(`int ${name}(${parameters})`)(...args))
  if (result !== 0) throw new SyscallError(name, name, errnoName(result))
}
