import { callKernel } from './ffi.ts'

const LOCK_EX = 2
const LOCK_NB = 4

/** `flock(fd, LOCK_EX | LOCK_NB)`, flock(2): whether the lock is ours now; closing gives it up. */
export function tryLock(fd: number): boolean {
  const call = `flock(${fd}, LOCK_EX|LOCK_NB)`
  return callKernel('flock', [fd, LOCK_EX | LOCK_NB], call, ['EAGAIN', 'EINTR']) === 0
}
