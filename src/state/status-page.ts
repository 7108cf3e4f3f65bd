/** The page on which the executor tells how far each of its processes came, as a file. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { containerDoesNotExist, isErrno } from '../errors.ts'
import { STATUS_SIZE } from '../lower/instruction-set.ts'
import { pathBelow } from '../sys/directory.ts'
import { writeText } from './write-text.ts'

/** In the container's directory. */
export const STATUS_PAGE = 'status'

interface Opened {
  readonly fd: number
  readonly id: string
}

/**
 * The file that the executor maps as its status page, made if missing. Written whole: a write to a
 * mapped page for which a full disk has no room is no errno, but SIGBUS.
 */
export function makeStatusPage(directory: Opened): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
  const path = pathBelow(directory.fd, STATUS_PAGE)
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
  try {
    if (fstatSync(fd).size < STATUS_SIZE) {
      writeText(fd, `${directory.id}/${STATUS_PAGE}`, '\0'.repeat(STATUS_SIZE))
    }
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** The same of a container that is there. Not made: `delete` may be removing it just now. */
export function openStatusPage(directory: Opened): number {
  try {
    return openSync(pathBelow(directory.fd, STATUS_PAGE), constants.O_RDWR | constants.O_NOFOLLOW)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw containerDoesNotExist(directory.id)
  }
}

/** The status page as it is now; empty when the container's process was never started. */
export function readStatusPage(directory: Opened): Buffer {
  try {
    return readFileSync(pathBelow(directory.fd, STATUS_PAGE))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0)
    throw error
  }
}
