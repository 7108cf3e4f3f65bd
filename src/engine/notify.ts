/**
 * sd_notify(3) between a container and whoever waits for it. As in runc only READY= is passed on:
 * all else that a container could say would be said of its caller's unit.
 */
import { chmodSync, unlinkSync } from 'node:fs'
import { describeError, isSystemError, StepError, UsageError } from '../errors.ts'
import { hasNotifyDirectory, notifySocketPath } from '../state/notify-directory.ts'
import type { ContainerRecord } from '../state/record.ts'
import type { ContainerDirectory } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { waitPidfd, waitReadable } from '../sys/process.ts'
import {
  bindDatagram,
  connectUnix,
  createSocketPair,
  receiveMessage,
  sendMessage,
} from '../sys/socket.ts'
import { openContainerProcess } from './container-process.ts'
import type { Notification } from './supervisor-protocol.ts'

/** The kernel's default allows none that are larger. */
const DATAGRAM_SIZE = 212_992
const BARRIER_TIMEOUT_MS = 30_000
/** Of one look: it ends with the container anyway. */
const LOOK_MS = 60_000

/**
 * Binds the container's socket and connects to that of the caller; undefined where `create` was not
 * told that there would be one. The caller closes both.
 */
export function openNotification(
  directory: ContainerDirectory,
  notifySocket: string | undefined,
): Notification | undefined {
  if (notifySocket === undefined || !hasNotifyDirectory(directory)) return undefined
  const notifies = connectCaller(notifySocket)
  try {
    return { notified: bindOwn(notifySocketPath(directory)), notifies }
  } catch (error) {
    closeFd(notifies)
    throw error
  }
}

function connectCaller(notifySocket: string): number {
  if (!/^[/@]./.test(notifySocket)) {
    const found = JSON.stringify(notifySocket)
    throw new UsageError(`NOTIFY_SOCKET must begin with / or @, found ${found}`)
  }
  try {
    return connectUnix(notifySocket, 'datagram')
  } catch (error) {
    throw new StepError('NOTIFY_SOCKET', describeError(error), { cause: error })
  }
}

function bindOwn(path: string): number {
  try {
    // Of a start that failed.
    unlinkSync(path)
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw error
  }
  const fd = bindDatagram(path)
  // For whatever user the container's process is.
  chmodSync(path, 0o777)
  return fd
}

export function closeNotification({ notified, notifies }: Notification): void {
  closeFd(notified)
  closeFd(notifies)
}

/** Waits until the container is ready or gone, and tells the caller that init is what runs now. */
export function awaitReady(notification: Notification, record: ContainerRecord): void {
  const pidfd = openContainerProcess(record)
  if (pidfd === undefined) return
  try {
    const ready = receiveReady(notification.notified, pidfd)
    if (ready !== undefined) tellCaller(notification.notifies, [ready, `MAINPID=${record.pid}`])
  } finally {
    closeFd(pidfd)
  }
}

/** The READY= line; undefined when the container ended before it said so. */
function receiveReady(notified: number, pidfd: number): string | undefined {
  for (;;) {
    const found = waitReadable([notified, pidfd], LOOK_MS)
    if (found.includes(notified)) {
      const ready = receiveLines(notified).find((line) => line.startsWith('READY='))
      if (ready !== undefined) return ready
    } else if (found.includes(pidfd)) return undefined
  }
}

function receiveLines(notified: number): readonly string[] {
  try {
    const message = receiveMessage(notified, DATAGRAM_SIZE)
    message?.fds.forEach(closeFd)
    return message?.bytes.toString('latin1').split('\n') ?? []
  } catch {
    // Too much in one datagram: whatever a container sends, it does not stop us.
    return []
  }
}

/** Waits until all was taken: by our pid it is found who sent it, so that we must be there. */
function tellCaller(notifies: number, lines: readonly string[]): void {
  for (const line of lines) sendMessage(notifies, Buffer.from(`${line}\n`, 'latin1'), [])
  const [ours, theirs] = createSocketPair()
  try {
    sendMessage(notifies, Buffer.from('BARRIER=1'), [theirs])
  } finally {
    closeFd(theirs)
  }
  waitPidfd(ours, BARRIER_TIMEOUT_MS)
  closeFd(ours)
}
