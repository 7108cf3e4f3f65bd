/** File descriptors: plain numbers with an owner who closes them. */
import { closeSync } from 'node:fs'
import { callKernel } from './ffi.ts'

const F_DUPFD_CLOEXEC = 1030

/** close(2); an fd is closed exactly once, by its owner. */
export function closeFd(fd: number): void {
  closeSync(fd)
}

/** `fcntl(fd, F_DUPFD_CLOEXEC, lowest)`, fcntl(2): a copy at `lowest` or above. */
export function duplicateFd(fd: number, lowest = 3): number {
  return callKernel('fcntl', [fd, F_DUPFD_CLOEXEC, lowest], `fcntl(${fd}, F_DUPFD_CLOEXEC)`)
}
