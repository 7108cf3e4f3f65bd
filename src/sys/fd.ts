/** File descriptors: plain numbers with an owner who closes them. */
import { closeSync } from 'node:fs'
import { callKernel } from './ffi.ts'

const F_SETFD = 2
const F_DUPFD_CLOEXEC = 1030
const FD_CLOEXEC = 1

/** close(2); an fd is closed exactly once, by its owner. */
export function closeFd(fd: number): void {
  closeSync(fd)
}

/** `fcntl(fd, F_DUPFD_CLOEXEC, lowest)`, fcntl(2): a copy at `lowest` or above. */
export function duplicateFd(fd: number, lowest = 3): number {
  return callKernel('fcntl', [fd, F_DUPFD_CLOEXEC, lowest], `fcntl(${fd}, F_DUPFD_CLOEXEC)`)
}

/** `fcntl(fd, F_SETFD, FD_CLOEXEC)`, fcntl(2). */
export function setCloseOnExec(fd: number): void {
  callKernel('fcntl', [fd, F_SETFD, FD_CLOEXEC], `fcntl(${fd}, F_SETFD, FD_CLOEXEC)`)
}
