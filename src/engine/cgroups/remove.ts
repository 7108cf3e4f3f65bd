/** The end of a container's cgroups: every process killed, every directory removed. */
import { rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { SyscallError } from '../../errors.ts'
import { CGROUP_HOME } from '../../plan/cgroup-home.ts'
import type { RecordedCgroup } from '../../state/record.ts'
import { monotonicMs } from '../../sys/clock.ts'
import { codeOf, isRemoved, waitUntil } from './files.ts'
import { findMembers, isContainers } from './processes.ts'
import { signalCgroups, thawKilled, writeIfThere } from './signal.ts'
import { directoriesOf } from './steps.ts'
import { walkCgroups } from './walk.ts'

const SIGKILL = 9
const KILL_TIMEOUT_MS = 10_000
/** A cgroup stays busy for a moment after its last process was reaped (rmdir: EBUSY). */
const BUSY_TIMEOUT_MS = 5_000

/** Kills until nobody is left, also who is frozen or forks. Throws when somebody stays. */
export function killCgroups(recorded: readonly RecordedCgroup[]): void {
  const cgroups = recorded.filter(isContainers)
  const isEmpty = waitUntil(KILL_TIMEOUT_MS, () => {
    if (findMembers(cgroups).length === 0) return true
    killAtOnce(cgroups)
    return findMembers(cgroups).length === 0
  })
  if (isEmpty) return
  const pids = findMembers(cgroups).join(', ')
  throw new Error(`processes ${pids} are still there ${KILL_TIMEOUT_MS / 1000} s after SIGKILL`)
}

/**
 * v2 kills a whole tree in one write (Linux ≥ 5.14). On v1 who is frozen cannot fork while the
 * signals are sent, and meets them when thawed.
 */
function killAtOnce(cgroups: readonly RecordedCgroup[]): void {
  for (const { hierarchy, path, version } of cgroups) {
    if (version === 2) writeIfThere(join(hierarchy + path, 'cgroup.kill'), '1')
    else writeIfThere(join(hierarchy + path, 'freezer.state'), 'FROZEN')
  }
  try {
    signalCgroups(cgroups, SIGKILL)
  } finally {
    thawKilled(cgroups)
  }
}

/**
 * Removes the directories, what the container made below them first, then those above them that
 * `create` made, unless another container lives there. Only rmdir(2): a cgroup is removed with
 * its files or not at all. What is gone already is fine; what cannot be removed is thrown after
 * the rest was tried.
 */
export function removeCgroups(
  recorded: readonly RecordedCgroup[],
  timeoutMs = BUSY_TIMEOUT_MS,
): void {
  const failures: unknown[] = []
  const deadline = monotonicMs() + timeoutMs
  const leave = (directory: Buffer, shown: string) =>
    removeDirectory(directory, shown, deadline - monotonicMs())
  for (const cgroup of recorded.filter(isContainers)) {
    const { hierarchy, path } = cgroup
    try {
      walkCgroups(hierarchy + path, { leave })
      for (const parent of findOwnParents(cgroup)) tryRemove(hierarchy + parent)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * The directories above a container's cgroup that go with it when they are empty, the deepest
 * first: those that its `create` made, and those in the place that is tsrunc's own. There, who made
 * one may be gone before another that found it.
 */
export function findOwnParents({ path, missing }: RecordedCgroup): readonly string[] {
  return directoriesOf(path)
    .filter((parent) => parent !== path)
    .filter((parent) => `${parent}/`.startsWith(`${CGROUP_HOME}/`) || missing.includes(parent))
    .toReversed()
}

function removeDirectory(directory: Buffer, shown: string, timeoutMs: number): void {
  let code: string | undefined
  const isGone = waitUntil(timeoutMs, () => {
    code = tryRemove(directory)
    return code !== 'EBUSY'
  })
  if (isGone && code === undefined) return
  const hint = code === 'EBUSY' ? 'processes or cgroups that others made are in it' : undefined
  throw new SyscallError('rmdir', `rmdir(${JSON.stringify(shown)})`, code ?? '', hint)
}

/** The errno, or undefined when the directory is gone. */
function tryRemove(directory: string | Buffer): string | undefined {
  try {
    rmdirSync(directory)
    return undefined
  } catch (error) {
    return isRemoved(error) ? undefined : codeOf(error)
  }
}
