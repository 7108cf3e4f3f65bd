/** Waiting for several fds at once: ppoll(2). */
import { callKernel } from './ffi.ts'

/** Interest in an fd: `in`, or the exceptional condition by which kernfs tells of a change. */
export interface Watched {
  readonly fd: number
  readonly for: 'in' | 'change'
}

const POLLIN = 1
const POLLPRI = 2
const ENTRY_SIZE = 8

/**
 * Waits until one of them is ready, at most so long (undefined: for ever); those that are ready.
 * A signal for which there is no handler ends the process as ever.
 */
export function pollDescriptors(
  watched: readonly Watched[],
  timeoutMs: number | undefined,
): readonly Watched[] {
  const entries = Buffer.alloc(watched.length * ENTRY_SIZE)
  watched.forEach((one, index) => {
    entries.writeInt32LE(one.fd, index * ENTRY_SIZE)
    entries.writeInt16LE(one.for === 'in' ? POLLIN : POLLPRI, index * ENTRY_SIZE + 4)
  })
  const timeout = timeoutMs === undefined ? 0 : encodeTimeout(timeoutMs)
  const call = `ppoll(${watched.length} fds)`
  const ready = callKernel('ppoll', [entries, watched.length, timeout, 0, 0], call, ['EINTR'])
  if (ready <= 0) return []
  return watched.filter((_, index) => entries.readInt16LE(index * ENTRY_SIZE + 6) !== 0)
}

function encodeTimeout(milliseconds: number): Buffer {
  const microseconds = BigInt(Math.max(0, Math.ceil(milliseconds * 1000)))
  const timeout = Buffer.alloc(16)
  timeout.writeBigInt64LE(microseconds / 1_000_000n, 0)
  timeout.writeBigInt64LE((microseconds % 1_000_000n) * 1000n, 8)
  return timeout
}
