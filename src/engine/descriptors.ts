/** The fds that a container inherits beyond stdio: LISTEN_FDS and --preserve-fds. */
import { UsageError } from '../errors.ts'
import type { CreateOptions } from '../host/facts.ts'

/** The fds 3… that go to the container. Throws UsageError when the caller has not opened one. */
export function findPreserved(
  options: Pick<CreateOptions, 'listenFds' | 'preserveFds'>,
  descriptors: readonly number[],
): readonly number[] {
  const count = options.listenFds + options.preserveFds
  const open = new Set(descriptors)
  const preserved = Array.from({ length: count }, (_, index) => 3 + index)
  const missing = preserved.find((fd) => !open.has(fd))
  if (missing !== undefined) {
    const flag = missing < 3 + options.listenFds ? 'LISTEN_FDS' : '--preserve-fds'
    throw new UsageError(`${flag}: file descriptor ${missing} is not open (${count} asked for)`)
  }
  return preserved
}

/** The fds that a create program asks for by name. */
export function nameDescriptors(
  startSocket: number,
  preserved: readonly number[],
): Readonly<Record<string, number>> {
  return { 'start-socket': startSocket, ...namePreserved(preserved) }
}

export function namePreserved(preserved: readonly number[]): Readonly<Record<string, number>> {
  return Object.fromEntries(preserved.map((fd, index) => [`preserved-${index}`, fd]))
}
