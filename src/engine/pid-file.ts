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

/** What can fail has been done: what is left is to tell. */
export interface OpenAnnouncement extends Disposable {
  readonly announce: (pid: number, pidfd: number) => void
}

/** Tells of a process. Throws a StepError that names the flag. */
export function announceProcess(to: Announcement, pid: number, pidfd: number): void {
  using announcement = openAnnouncement(to)
  announcement.announce(pid, pidfd)
}

/**
 * Finds out whether the caller can be told, while there is nothing yet to tell of. The pidfd goes
 * as one message with one fd and a payload, as from runc.
 */
export function openAnnouncement({ pidFile, pidfdSocket }: Announcement): OpenAnnouncement {
  // A stream, as what listens for runc's pidfd is.
  const socket = named('--pidfd-socket', pidfdSocket, (path) => connectUnix(path, 'stream'))
  let draft: PidFile | undefined
  try {
    draft = named('--pid-file', pidFile, openPidFile)
  } catch (error) {
    if (socket !== undefined) closeFd(socket)
    throw error
  }
  return {
    announce(pid, pidfd) {
      named('--pidfd-socket', socket, (fd) => sendMessage(fd, Buffer.from('pidfd'), [pidfd]))
      // Last: who sees the file may rely on the rest.
      named('--pid-file', draft, ({ complete }) => complete(pid))
    },
    [Symbol.dispose]() {
      if (socket !== undefined) closeFd(socket)
      draft?.close()
    },
  }
}

function named<T, R>(flag: string, value: T | undefined, work: (value: T) => R): R | undefined {
  if (value === undefined) return undefined
  try {
    return work(value)
  } catch (error) {
    throw new StepError(flag, describeError(error), { cause: error })
  }
}

interface PidFile {
  readonly complete: (pid: number) => void
  readonly close: () => void
}

/**
 * The pid is written without a newline, complete from the first moment that the name exists:
 * containerd reads the file once and takes all of it as the number.
 */
function openPidFile(path: string): PidFile {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  let isComplete = false
  return {
    complete(pid) {
      writeSync(fd, String(pid))
      renameSync(temporary, path)
      isComplete = true
    },
    close() {
      closeSync(fd)
      if (!isComplete) rmSync(temporary, { force: true })
    },
  }
}
