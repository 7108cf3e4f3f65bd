/** Signals to every process of a container, found by its cgroups. */
import { existsSync } from 'node:fs'
import type { RecordedCgroup } from '../../state/record.ts'
import { closeFd } from '../../sys/fd.ts'
import { openPidfd, sendPidfdSignal } from '../../sys/process.ts'
import { isRemoved, writeCgroup } from './files.ts'
import { findMembers, isContainers } from './processes.ts'
import { walkCgroups } from './walk.ts'

/** Processes may fork while they are signalled: we look again until nobody new turns up. */
const ROUND_LIMIT = 100
/** How many pidfds are open at once: far below any limit on fds. */
const BATCH_SIZE = 200

/** Sends the signal once to each process in the container's cgroups and those below them. */
export function signalCgroups(recorded: readonly RecordedCgroup[], signal: number): void {
  const cgroups = recorded.filter(isContainers)
  const reached = new Set<number>()
  for (let round = 0; round < ROUND_LIMIT; round++) {
    const fresh = findMembers(cgroups).filter((pid) => !reached.has(pid))
    if (fresh.length === 0) return
    for (let at = 0; at < fresh.length; at += BATCH_SIZE) {
      signalMembers(cgroups, fresh.slice(at, at + BATCH_SIZE), signal)
    }
    for (const pid of fresh) reached.add(pid)
  }
}

/** A pid may be another's by now: opened first, then looked up once more. */
function signalMembers(
  cgroups: readonly RecordedCgroup[],
  pids: readonly number[],
  signal: number,
): void {
  const opened: { readonly pid: number; readonly pidfd: number }[] = []
  try {
    for (const pid of pids) {
      const pidfd = openPidfd(pid)
      if (pidfd !== undefined) opened.push({ pid, pidfd })
    }
    const members = new Set(findMembers(cgroups))
    for (const { pid, pidfd } of opened) if (members.has(pid)) sendPidfdSignal(pidfd, signal)
  } finally {
    for (const { pidfd } of opened) closeFd(pidfd)
  }
}

/**
 * On v1 who is frozen meets even SIGKILL only when thawed; v2 kills at once. Those below, too: the
 * container may have frozen its own, and children stay frozen with their parent.
 */
export function thawKilled(cgroups: readonly RecordedCgroup[]): void {
  for (const { hierarchy, path, version } of cgroups.filter(isContainers)) {
    if (version === 2) continue
    walkCgroups(hierarchy + path, {
      enter: (cgroup) => writeIfThere(`${cgroup}/freezer.state`, 'THAWED'),
    })
  }
}

/** Writes where there is such a file, and the cgroup is not gone meanwhile. */
export function writeIfThere(file: string, value: string): void {
  if (!existsSync(file)) return
  try {
    writeCgroup(file, value)
  } catch (error) {
    if (!isRemoved(error)) throw error
  }
}
