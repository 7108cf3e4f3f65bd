/** One command at a time changes a container. */
import { closeSync, openSync } from 'node:fs'
import { StateError } from '../errors.ts'
import { monotonicMs } from '../sys/clock.ts'
import { OPEN_DIRECTORY, pathBelow } from '../sys/directory.ts'
import { tryLock } from '../sys/flock.ts'
import type { ContainerDirectory } from './store.ts'

const LOCK_TIMEOUT_MS = 30_000
const LOCK_PAUSE_MS = 10

/** Serialises start, delete and update. Waits for whoever holds the lock, but not for ever. */
export function lockContainer(
  directory: ContainerDirectory,
  timeoutMs = LOCK_TIMEOUT_MS,
): Disposable {
  const fd = openSync(pathBelow(directory.fd, '.'), OPEN_DIRECTORY)
  const deadline = monotonicMs() + timeoutMs
  while (!tryLock(fd)) {
    if (monotonicMs() > deadline) {
      closeSync(fd)
      throw new StateError(`container ${directory.id} is busy: another command works on it`)
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS)
  }
  return { [Symbol.dispose]: () => closeSync(fd) }
}
