/** The container's /etc/passwd, read through an fd that the executor opened inside the root. */
import { fstatSync, readSync } from 'node:fs'

/** A passwd beyond this is not read further: the file is the container's, not ours to trust. */
const READ_LIMIT = 1 << 20

/** PATH_MAX: who has a longer home than any call takes has none. */
const HOME_LIMIT = 4095

/**
 * The home directory of a uid, `/` when the file is absent, no regular file or has no such uid. A
 * character for each byte: the file need not be UTF-8.
 * The first line of a uid counts, as with getpwuid(3).
 */
export function findHome(fd: number | undefined, uid: number): string {
  if (fd === undefined || !fstatSync(fd).isFile()) return '/'
  for (const line of readHead(fd, READ_LIMIT).toString('latin1').split('\n')) {
    const [, , id, , , home] = line.split(':')
    // Digits only: a name or a sign is never taken for a number (CVE-2016-3697).
    if (id !== undefined && /^[0-9]+$/.test(id) && Number(id) === uid) {
      return home !== undefined && home.length <= HOME_LIMIT && home !== '' ? home : '/'
    }
  }
  return '/'
}

/** Up to `limit` bytes from the beginning of a file. */
export function readHead(fd: number, limit: number): Buffer {
  const head = Buffer.alloc(Math.min(limit, Math.max(1, fstatSync(fd).size)))
  let length = 0
  while (length < head.length) {
    const count = readSync(fd, head, length, head.length - length, length)
    if (count === 0) break
    length += count
  }
  return head.subarray(0, length)
}
