/** The container's process as others see it: never a pid alone, always pid and start time. */

import { constants } from 'node:os'
import type { ContainerRecord } from '../state/record.ts'
import { closeFd } from '../sys/fd.ts'
import { type ProcessFacts, readBootId, readProcess } from '../sys/proc.ts'
import { openPidfd, sendPidfdSignal, waitPidfd } from '../sys/process.ts'

export const { SIGKILL } = constants.signals

/** How long a process that got SIGKILL may take to be gone: it may sit in a slow filesystem. */
export const KILL_TIMEOUT_MS = 10_000

/**
 * A pidfd of the container's process; undefined when it is gone. The fd is opened first and the
 * start time compared after, so that a pid that was used again is never taken for it.
 */
export function openContainerProcess(record: ContainerRecord): number | undefined {
  const opened = openProcess(record)
  if (opened === undefined || !opened.facts.hasEnded) return opened?.pidfd
  closeFd(opened.pidfd)
  return undefined
}

/** The same, also of a process that ended and was not reaped yet. */
export function openProcess(
  record: ContainerRecord,
): { readonly pidfd: number; readonly facts: ProcessFacts } | undefined {
  if (record.pid === 0) return undefined
  const pidfd = openPidfd(record.pid)
  if (pidfd === undefined) return undefined
  const facts = readProcess(record.pid)
  if (facts?.startTime === record.startTime && record.bootId === readBootId()) {
    return { pidfd, facts }
  }
  closeFd(pidfd)
  return undefined
}

/** Sends SIGKILL and waits until the process is gone. */
export function killContainerProcess(record: ContainerRecord): void {
  const pidfd = openContainerProcess(record)
  if (pidfd === undefined) return
  try {
    sendPidfdSignal(pidfd, SIGKILL)
    if (waitPidfd(pidfd, KILL_TIMEOUT_MS)) return
    throw new Error(
      `process ${record.pid} is still there ${KILL_TIMEOUT_MS / 1000} s after SIGKILL` +
        ' (hint: /proc/PID/stack tells what it waits for in the kernel)',
    )
  } finally {
    closeFd(pidfd)
  }
}
