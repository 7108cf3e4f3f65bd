/** The end of a container's cgroups: every process killed, every directory removed. */
import { existsSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordedCgroup } from '../../state/record.ts'
import { findProcesses, listCgroups } from './processes.ts'
import { signalCgroups } from './signal.ts'
import { writeFile } from './steps.ts'

const SIGKILL = 9
const KILL_TIMEOUT_MS = 10_000
/** A cgroup stays busy for a moment after its last process was reaped (rmdir: EBUSY). */
const BUSY_TIMEOUT_MS = 5_000
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 100

/** Kills until nobody is left, also who is frozen or forks. Throws when somebody stays. */
export function killCgroups(cgroups: readonly RecordedCgroup[]): void {
  const directories = cgroups.map(({ hierarchy, path }) => hierarchy + path)
  const isEmpty = waitUntil(KILL_TIMEOUT_MS, () => {
    if (findProcesses(directories).length === 0) return true
    for (const cgroup of cgroups) killAtOnce(cgroup)
    signalCgroups(cgroups, SIGKILL)
    return findProcesses(directories).length === 0
  })
  if (isEmpty) return
  const pids = findProcesses(directories).join(', ')
  throw new Error(`processes ${pids} are still there ${KILL_TIMEOUT_MS / 1000} s after SIGKILL`)
}

/** v2 kills a whole tree in one write (Linux ≥ 5.14); v1 lets the frozen go to meet the signal. */
function killAtOnce({ hierarchy, path, version }: RecordedCgroup): void {
  const directory = hierarchy + path
  const [file, value] = version === 2 ? ['cgroup.kill', '1'] : ['freezer.state', 'THAWED']
  if (existsSync(join(directory, file))) writeFile(join(directory, file), value)
}

/**
 * Removes the directories, what the container made below them first, then those above them that
 * `create` made, unless another container lives there. Only rmdir(2): a cgroup is removed with
 * its files or not at all. What is gone already is fine.
 */
export function removeCgroups(cgroups: readonly RecordedCgroup[]): void {
  for (const { hierarchy, path, missing } of cgroups) {
    if (path === '/' || path === '') continue
    for (const directory of listCgroups(hierarchy + path)) removeDirectory(directory)
    const parents = missing.filter((parent) => parent !== path && path.startsWith(`${parent}/`))
    for (const parent of parents.toReversed()) tryRemove(hierarchy + parent)
  }
}

function removeDirectory(directory: string): void {
  let code: string | undefined
  const isGone = waitUntil(BUSY_TIMEOUT_MS, () => {
    code = tryRemove(directory)
    return code !== 'EBUSY'
  })
  if (!isGone || code !== undefined) throw new Error(`rmdir(${JSON.stringify(directory)}): ${code}`)
}

/** The errno, or undefined when the directory is gone. */
function tryRemove(directory: string): string | undefined {
  try {
    rmdirSync(directory)
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return code === 'ENOENT' ? undefined : code
  }
}

/** Tries at growing intervals; the kernel offers nothing to wait on for a v1 cgroup. */
function waitUntil(timeoutMs: number, isDone: () => boolean): boolean {
  const deadline = Date.now() + timeoutMs
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (isDone()) return true
    if (Date.now() > deadline) return false
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
  }
}
