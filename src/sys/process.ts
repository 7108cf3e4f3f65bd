/** Processes by pidfd, and children of this process. */
import { SyscallError } from '../errors.ts'
import { bindLibc, callKernel, lastErrno } from './ffi.ts'

const POLLIN = 1
const MILLISECOND = 1_000_000n

/** `pidfd_open(pid, 0)`, pidfd_open(2); undefined when there is no such process. */
export function openPidfd(pid: number): number | undefined {
  const fd = callKernel('pidfd_open', [pid, 0], `pidfd_open(${pid})`, ['ESRCH'])
  return fd < 0 ? undefined : fd
}

/** `pidfd_send_signal(fd, signal, NULL, 0)`: false when the process is gone. */
export function sendPidfdSignal(pidfd: number, signal: number): boolean {
  const call = `pidfd_send_signal(${pidfd}, ${signal})`
  return callKernel('pidfd_send_signal', [pidfd, signal, 0, 0], call, ['ESRCH']) === 0
}

/** Waits until the process ended (or a socket has news), at most so long; whether it did. */
export function waitPidfd(pidfd: number, timeoutMs: number): boolean {
  const pollfd = Buffer.alloc(8)
  pollfd.writeInt32LE(pidfd, 0)
  pollfd.writeInt16LE(POLLIN, 4)
  const deadline = process.hrtime.bigint() + BigInt(timeoutMs) * MILLISECOND
  for (;;) {
    const rest = deadline - process.hrtime.bigint()
    const left = rest > 0n ? rest : 0n
    const timeout = Buffer.alloc(16)
    timeout.writeBigInt64LE(left / 1_000_000_000n, 0)
    timeout.writeBigInt64LE(left % 1_000_000_000n, 8)
    const ready = callKernel('ppoll', [pollfd, 1, timeout, 0, 0], `ppoll(${pidfd})`, ['EINTR'])
    if (ready > 0) return true
    if (ready === 0) return false
  }
}

export interface ChildEnd {
  /** Exit status, when it exited. */
  readonly code?: number
  /** Number of the signal that killed it. */
  readonly signal?: number
}

/** `waitpid(pid, &status, 0)`, waitpid(2): reaps one child of this process. */
export function waitForChild(pid: number): ChildEnd {
  const waitpid = bindLibc('int waitpid(int, void *, int)')
  const status = Buffer.alloc(4)
  while (Number(waitpid(pid, status, 0)) < 0) {
    const code = lastErrno()
    if (code !== 'EINTR') throw new SyscallError('waitpid', `waitpid(${pid})`, code)
  }
  const word = status.readInt32LE(0)
  const signal = word & 0x7f
  return signal === 0 ? { code: (word >> 8) & 0xff } : { signal }
}
