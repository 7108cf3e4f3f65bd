/** Signals to every process of a container, found by its cgroups. */
import type { RecordedCgroup } from '../../state/record.ts'
import { closeFd } from '../../sys/fd.ts'
import { openPidfd, sendPidfdSignal } from '../../sys/process.ts'
import { findProcesses } from './processes.ts'

/** Processes may fork while they are signalled: we look again until nobody new turns up. */
const ROUND_LIMIT = 100

/** Sends the signal once to each process in the container's cgroups and those below them. */
export function signalCgroups(cgroups: readonly RecordedCgroup[], signal: number): void {
  const directories = cgroups.map(({ hierarchy, path }) => hierarchy + path)
  const reached = new Set<number>()
  for (let round = 0; round < ROUND_LIMIT; round++) {
    const fresh = findProcesses(directories).filter((pid) => !reached.has(pid))
    if (fresh.length === 0) return
    for (const pid of fresh) {
      reached.add(pid)
      signalMember(directories, pid, signal)
    }
  }
}

/** The pid may be another's by now: opened first, then looked up once more. */
function signalMember(directories: readonly string[], pid: number, signal: number): void {
  const pidfd = openPidfd(pid)
  if (pidfd === undefined) return
  try {
    if (findProcesses(directories).includes(pid)) sendPidfdSignal(pidfd, signal)
  } finally {
    closeFd(pidfd)
  }
}
