/** Files of cgroups: one write(2) each, nothing created, and what the errnos of cgroupfs mean. */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { SyscallError } from '../../errors.ts'
import { monotonicMs } from '../../sys/clock.ts'

/** By file and errno, then by errno alone. */
const HINTS: Readonly<Record<string, string>> = {
  'cgroup.subtree_control EBUSY':
    'processes live in that cgroup itself, and cgroup v2 takes either processes or controllers for children',
  'cgroup.procs EBUSY': 'the cgroup has controllers enabled for its children: it takes no process',
  'cgroup.procs ENOSPC': 'cpuset.cpus or cpuset.mems of the cgroup is empty',
  'cgroup.procs ESRCH': 'the process is gone',
  'rdma.max ENODEV': 'this host has no RDMA device of that name; `rdma link` lists those it has',
  EACCES: 'the caller may not write there: the cgroup is not delegated to it',
  EBUSY: 'more than that is in use already',
  EINVAL: 'the kernel does not take this value',
  ENOENT: 'the controller is not available in this cgroup, or this kernel has no such setting',
  EPERM: 'the kernel does not let the caller change this',
  EROFS: 'the cgroup hierarchy is mounted read-only',
}

/** Writes all of the value at once. `hint` is what to do when there is no such file. */
export function writeCgroup(path: string, value: string, hint?: string): void {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      writeSync(fd, value)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const code = codeOf(error)
    const known = HINTS[`${basename(path)} ${code}`] ?? HINTS[code]
    const call = `write(${JSON.stringify(path)}, ${JSON.stringify(value)})`
    throw new SyscallError('write', call, code, code === 'ENOENT' ? (hint ?? known) : known)
  }
}

/** ENOENT by name, ENODEV by an fd that was opened before: the directory is gone. */
export function isRemoved(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes(codeOf(error))
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 100

/** Tries at growing intervals; the kernel offers nothing to wait on for a v1 cgroup. */
export function waitUntil(timeoutMs: number, isDone: () => boolean): boolean {
  const deadline = monotonicMs() + timeoutMs
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (isDone()) return true
    if (monotonicMs() > deadline) return false
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
  }
}
