/** How callers learn of the container's process: --pid-file and --pidfd-socket. */
import { closeSync, constants, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describeError, StepError } from '../errors.ts'
import { closeFd } from '../sys/fd.ts'
import { connectUnix, sendMessage } from '../sys/socket.ts'

/** Where callers want to be told of a process. */
export interface Announcement {
  readonly pidFile?: string
  readonly pidfdSocket?: string
}

/** Tells of a process. Throws a StepError that names the flag. */
export function announceProcess(
  { pidFile, pidfdSocket }: Announcement,
  pid: number,
  pidfd: number,
): void {
  tell('--pidfd-socket', pidfdSocket, (path) => sendPidfd(path, pidfd))
  // Last: who sees the file may rely on the rest.
  tell('--pid-file', pidFile, (path) => writePidFile(path, pid))
}

function tell(flag: string, path: string | undefined, send: (path: string) => void): void {
  if (path === undefined) return
  try {
    send(path)
  } catch (error) {
    throw new StepError(flag, describeError(error), { cause: error })
  }
}

/**
 * Writes the pid without a newline, complete from the first moment that the name exists:
 * containerd reads the file once and takes all of it as the number.
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    writeSync(fd, String(pid))
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

/** Hands a pidfd of the container to whoever listens: one message, one fd, a payload (runc's). */
export function sendPidfd(path: string, pidfd: number): void {
  // A stream, as what listens for runc's pidfd is.
  const socket = connectUnix(path, 'stream')
  try {
    sendMessage(socket, Buffer.from('pidfd'), [pidfd])
  } finally {
    closeFd(socket)
  }
}
