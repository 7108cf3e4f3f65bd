/** `start`: tells the waiting process to go on, and learns whether execve(2) succeeded. */
import { StateError, SyscallError } from '../errors.ts'
import { GO } from '../lower/instruction-set.ts'
import { lockContainer } from '../state/lock.ts'
import type { ContainerRecord, RecordedListener } from '../state/record.ts'
import { readStatus } from '../state/status.ts'
import { openStatusPage } from '../state/status-page.ts'
import {
  type ContainerDirectory,
  openContainer,
  openRoot,
  readRecord,
  startSocketPath,
} from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { connectUnix, sendMessage } from '../sys/socket.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { killContainerProcess } from './container-process.ts'
import { readStatusPage, serveMeetings } from './execution.ts'
import { explainFailure, readLanes } from './explain.ts'
import {
  closeHookFiles,
  fdsOf,
  type HookFiles,
  openHookFiles,
  runHook,
  withOutput,
} from './hooks.ts'
import { awaitReady, closeNotification, openNotification } from './notify.ts'
import type { Answer, Meeting } from './protocol.ts'
import { sendListener } from './seccomp-listener.ts'
import type { Notification } from './supervisor-protocol.ts'

const HAS_STOPPED = 'cannot start a container that has stopped'

/** Of a container that was just started. */
export interface Started {
  readonly record: ContainerRecord
  /** Its word that it is ready is still to come; the caller closes it. */
  readonly notification?: Notification
}

/**
 * Starts a created container. Throws StateError, or StepError when its program cannot run.
 * `notifySocket`: the socket of who waits until it is ready, from NOTIFY_SOCKET.
 */
export function startContainer(
  rootPath: string,
  id: string,
  architecture: Architecture,
  notifySocket?: string,
): Started {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  using _lock = lockContainer(directory)
  const record = readRecord(directory)
  const status = readStatus(directory, record)
  if (status === 'stopped') throw new StateError(HAS_STOPPED)
  if (status !== 'created') throw new StateError('cannot start an already running container')
  const notification = openNotification(directory, notifySocket)
  try {
    releaseProcess(directory, record)
    runPoststartHooks(record, architecture)
  } catch (error) {
    if (notification !== undefined) closeNotification(notification)
    throw error
  }
  return { record, ...(notification && { notification }) }
}

/** Waits, where somebody waits for that, until a started container is ready or gone. */
export function finishStart({ record, notification }: Started): void {
  if (notification === undefined) return
  try {
    awaitReady(notification, record)
  } finally {
    closeNotification(notification)
  }
}

function releaseProcess(directory: ContainerDirectory, record: ContainerRecord): void {
  const socket = sayGo(directory)
  const hookFiles: HookFiles[] = []
  let output = ''
  try {
    serveMeetings(
      socket,
      (meeting) => {
        if (meeting.number === record.startListener?.meet) {
          return handOver(record, record.startListener, meeting)
        }
        const hook = record.startHooks[meeting.number]
        if (hook === undefined) throw new Error(`unknown meeting ${meeting.number}`)
        const files = openHookFiles(record, hook)
        hookFiles.push(files)
        return { verdict: 'proceed', fds: fdsOf(files) }
      },
      () => false,
    )
  } finally {
    closeFd(socket)
    output = hookFiles.map(closeHookFiles).at(-1) ?? ''
  }
  checkExecuted(directory, record, output)
}

function handOver(
  record: ContainerRecord,
  { origin, path, metadata }: RecordedListener,
  { fds: [fd] }: Meeting,
): Answer {
  if (fd === undefined) throw new Error('no seccomp listener: a bug in tsrunc')
  const listener = { path, metadata }
  const { pid } = record
  sendListener({ listener, origin, fd, container: record, status: 'created', pid })
  return { verdict: 'proceed' }
}

/** Connects to the waiting process. It may have been killed since we looked: then nobody listens. */
function sayGo(directory: ContainerDirectory): number {
  const go = Buffer.alloc(8)
  go.writeUInt32LE(GO)
  let socket: number | undefined
  try {
    socket = connectUnix(startSocketPath(directory))
    sendMessage(socket, go, [])
    return socket
  } catch (error) {
    if (socket !== undefined) closeFd(socket)
    const code = error instanceof SyscallError ? error.code : ''
    if (!['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code)) throw error
    throw new StateError(HAS_STOPPED, { cause: error })
  }
}

/** The connection ended: execve closed it, or the process is gone. The status page knows. */
function checkExecuted(
  directory: ContainerDirectory,
  record: ContainerRecord,
  output: string,
): void {
  const fd = openStatusPage(directory)
  const page = readStatusPage(fd)
  closeFd(fd)
  const init = readLanes(page)[record.lane]
  if (init?.state === 'running' && init.index === record.executeIndex) return
  const listing = (index: number) => record.startListing[index - record.startIndex]
  const foreign = record.foreignExecutable
  const error = explainFailure(page, listing, 'ended', foreign === undefined ? {} : { foreign })
  throw withOutput(error, output)
}

/** A failing poststart hook stops the container (runtime-spec 1.3, lifecycle step 9). */
function runPoststartHooks(record: ContainerRecord, architecture: Architecture): void {
  for (const step of record.hooks.poststart) {
    try {
      runHook(step, record, architecture)
    } catch (error) {
      killContainerProcess(record)
      throw error
    }
  }
}
