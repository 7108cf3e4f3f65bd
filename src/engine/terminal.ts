/** Where the master of a process's pty goes: to a console socket, or to the supervisor. */
import { describeError, StepError } from '../errors.ts'
import { closeFd, duplicateFd } from '../sys/fd.ts'
import { connectUnix, sendMessage } from '../sys/socket.ts'
import { copyTerminalSize, nameTerminal } from '../sys/terminal.ts'

/**
 * Sends the master to the socket; without one, returns a copy of it, which the caller closes, and
 * gives it the size of the caller's terminal. Throws a StepError that names the flag.
 */
export function passTerminal(
  master: number | undefined,
  consoleSocket: string | undefined,
): number | undefined {
  if (master === undefined) throw new Error('a terminal without its fd: a bug in tsrunc')
  if (consoleSocket === undefined) {
    copyTerminalSize(master)
    return duplicateFd(master)
  }
  try {
    sendTerminal(consoleSocket, master)
  } catch (error) {
    throw new StepError('--console-socket', describeError(error), { cause: error })
  }
  return undefined
}

/** One connection, one message with one fd and, as runc's, the name of the slave. */
function sendTerminal(path: string, master: number): void {
  const socket = connectUnix(path, 'stream')
  try {
    sendMessage(socket, Buffer.from(nameTerminal(master)), [master])
  } finally {
    closeFd(socket)
  }
}
