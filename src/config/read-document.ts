/** The text of a file that a user names: a regular file, or stdin as `-`. */
import { isUtf8 } from 'node:buffer'
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { UsageError } from '../errors.ts'

const MAX_BYTES = 16 * 1024 * 1024
const CHUNK_SIZE = 65_536
const STDIN = 0
const PAUSE_MS = 5

/** Reads it whole, at most 16 MiB of UTF-8. Throws UsageError that names it. */
export function readDocument(path: string): string {
  const bytes = path === '-' ? readStdin() : readFile(path)
  if (!isUtf8(bytes)) throw new UsageError(`${nameDocument(path)}: not UTF-8`)
  return bytes.toString()
}

/** How messages call it. */
export function nameDocument(path: string): string {
  return path === '-' ? 'stdin' : path
}

function readFile(path: string): Buffer {
  const fd = openFile(path)
  try {
    const status = fstatSync(fd)
    if (!status.isFile()) throw new UsageError(`${path}: not a regular file`)
    if (status.size > MAX_BYTES) throw new UsageError(`${path}: larger than ${MAX_BYTES} bytes`)
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

function openFile(path: string): number {
  try {
    // Without O_NONBLOCK a fifo would keep us waiting for a writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch (error) {
    throw new UsageError(`${path}: ${explainFailure(error, 'file')}`)
  }
}

function readStdin(): Buffer {
  const chunks: Buffer[] = []
  for (let size = 0; ; ) {
    const chunk = Buffer.alloc(CHUNK_SIZE)
    const count = readChunk(chunk)
    if (count === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, count))
    size += count
    if (size > MAX_BYTES) throw new UsageError(`stdin: larger than ${MAX_BYTES} bytes`)
  }
}

/** Somebody else may have made it non-blocking: then its writer is waited for. */
function readChunk(chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(STDIN, chunk)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'EAGAIN') throw new UsageError(`stdin: ${code}`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
    }
  }
}

/** Words for why a path that the user named cannot be used. */
export function explainFailure(error: unknown, what: string): string {
  const code = codeOf(error)
  if (code === 'ENOENT') return `no such ${what}`
  if (code === 'ENOTDIR') return 'not a directory'
  if (code === 'EACCES') return 'permission denied'
  return code
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
