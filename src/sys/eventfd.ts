import { readSync } from 'node:fs'
import { isErrno } from '../errors.ts'
import { callKernel } from './ffi.ts'

const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

/** `eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)`, eventfd(2): a counter that the kernel adds to. */
export function createEventfd(): number {
  return callKernel('eventfd2', [0, EFD_CLOEXEC | EFD_NONBLOCK], 'eventfd2(0)')
}

/** Takes what was added since; 0 when nothing was. */
export function takeEvents(eventfd: number): number {
  const count = Buffer.alloc(8)
  try {
    readSync(eventfd, count)
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return 0
    throw error
  }
  return Number(count.readBigUInt64LE())
}
