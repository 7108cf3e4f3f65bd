/** `wait`: until the container's process is gone, and how it ended. */
import { writeSync } from 'node:fs'
import { StateError } from '../errors.ts'
import { LANE_ENDED } from '../lower/instruction-set.ts'
import type { ContainerRecord } from '../state/record.ts'
import { endOffset, readExitStatus } from '../state/status.ts'
import { openStatusPage } from '../state/status-page.ts'
import { openContainer, openRoot, readRecord } from '../state/store.ts'
import { monotonicMs } from '../sys/clock.ts'
import { closeFd } from '../sys/fd.ts'
import { readProcess } from '../sys/proc.ts'
import { decodeWaitStatus, readReapedStatus, waitPidfd } from '../sys/process.ts'
import { openProcess } from './container-process.ts'
import { readStatusPage } from './execution.ts'

/** ppoll(2) takes no "for ever" beside a deadline. */
const ROUND_MS = 3_600_000
/** The supervisor of a foreground `run` reaps first and records then. */
const RECORD_TIMEOUT_MS = 200
const RECORD_PAUSE_MS = 5

/**
 * Waits for the end of a container's process; its exit status, 128 + n by a signal, or undefined
 * where nobody knows it: it was reaped by somebody else before Linux 6.15, or before we came.
 */
export function waitForContainer(rootPath: string, id: string): number | undefined {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  if (record.pid === 0) throw new StateError('container has no process yet: it is being created')
  // Now: the directory may be gone with its container when that has ended.
  const page = openStatusPage(directory)
  try {
    const opened = openProcess(record)
    if (opened === undefined) return readExitStatus(readStatusPage(page), record.lane)
    try {
      return waitForEnd(record, opened.pidfd, page)
    } finally {
      closeFd(opened.pidfd)
    }
  } finally {
    closeFd(page)
  }
}

function waitForEnd(record: ContainerRecord, pidfd: number, page: number): number | undefined {
  while (!waitPidfd(pidfd, ROUND_MS)) {
    // Another round.
  }
  // A zombie's status is in /proc, until it is reaped, and then the pidfd has it.
  const word = readReapedStatus(pidfd) ?? readZombieStatus(record) ?? readReapedStatus(pidfd)
  if (word === undefined) return awaitRecord(record, page)
  const { code, signal = 0 } = decodeWaitStatus(word)
  const status = code ?? 128 + signal
  const end = Buffer.alloc(4)
  end.writeUInt32LE(LANE_ENDED + status)
  // For `state`, and for who waits later.
  writeSync(page, end, 0, end.length, endOffset(record.lane))
  return status
}

function readZombieStatus(record: ContainerRecord): number | undefined {
  const found = readProcess(record.pid)
  const isOurs = found?.startTime === record.startTime && found.hasEnded
  return isOurs ? found.waitStatus : undefined
}

function awaitRecord(record: ContainerRecord, page: number): number | undefined {
  const deadline = monotonicMs() + RECORD_TIMEOUT_MS
  for (;;) {
    const status = readExitStatus(readStatusPage(page), record.lane)
    if (status !== undefined || monotonicMs() > deadline) return status
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RECORD_PAUSE_MS)
  }
}
