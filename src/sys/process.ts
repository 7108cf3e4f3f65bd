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
  return waitReadable([pidfd], timeoutMs).length > 0
}

/** Waits until some of these have news, at most so long; which. */
export function waitReadable(fds: readonly number[], timeoutMs: number): readonly number[] {
  const pollfds = Buffer.alloc(8 * fds.length)
  fds.forEach((fd, index) => {
    pollfds.writeInt32LE(fd, index * 8)
    pollfds.writeInt16LE(POLLIN, index * 8 + 4)
  })
  const deadline = process.hrtime.bigint() + BigInt(timeoutMs) * MILLISECOND
  for (;;) {
    const rest = deadline - process.hrtime.bigint()
    const left = rest > 0n ? rest : 0n
    const timeout = Buffer.alloc(16)
    timeout.writeBigInt64LE(left / 1_000_000_000n, 0)
    timeout.writeBigInt64LE(left % 1_000_000_000n, 8)
    const call = `ppoll(${fds.join(', ')})`
    const ready = callKernel('ppoll', [pollfds, fds.length, timeout, 0, 0], call, ['EINTR'])
    if (ready > 0) return fds.filter((_fd, index) => pollfds.readInt16LE(index * 8 + 6) !== 0)
    if (ready === 0) return []
  }
}

/** _IOWR(0xff, 11, struct pidfd_info of 64 bytes), linux/pidfd.h */
const PIDFD_GET_INFO = 0xc040_ff0b
const PIDFD_INFO_SIZE = 64
const PIDFD_INFO_EXIT = 8n
const EXIT_CODE_OFFSET = 60

/**
 * `ioctl(fd, PIDFD_GET_INFO)`, with PIDFD_INFO_EXIT: the wait status of a process that is gone and
 * reaped, as wait(2) gave it to its parent. Undefined before that, and before Linux 6.15.
 */
export function readReapedStatus(pidfd: number): number | undefined {
  const info = Buffer.alloc(PIDFD_INFO_SIZE)
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0)
  const call = `ioctl(${pidfd}, PIDFD_GET_INFO)`
  const unknown = ['EINVAL', 'ENOTTY', 'ENOTSUP', 'EOPNOTSUPP', 'ESRCH'] as const
  const result = callKernel('ioctl', [pidfd, PIDFD_GET_INFO, info], call, unknown)
  const hasEnd = result === 0 && (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) !== 0n
  return hasEnd ? info.readInt32LE(EXIT_CODE_OFFSET) : undefined
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
  return decodeWaitStatus(status.readInt32LE(0))
}

/** WEXITSTATUS and WTERMSIG of wait(2). */
export function decodeWaitStatus(word: number): ChildEnd {
  const signal = word & 0x7f
  return signal === 0 ? { code: (word >> 8) & 0xff } : { signal }
}
