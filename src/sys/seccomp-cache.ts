/**
 * Compiled filters on disk: one file each, named by the hash of all that the filter depends on.
 * An entry that is not exactly what was written is no entry; the caller compiles and writes anew.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { SeccompFacts } from '../host/facts.ts'

const DIGEST_SIZE = 32
const INSTRUCTION_SIZE = 8
/** BPF_MAXINSNS: the kernel takes no more. */
const MOST_INSTRUCTIONS = 4096
/** A full filter is 44 KB in base64. */
const MOST_BYTES = 1 << 20

/** `directory` is an fd, `key` the hash in hex. */
export function readCachedFilter(directory: number, key: string): SeccompFacts | undefined {
  let file: number
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
    file = openSync(entryPath(directory, key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return undefined
  }
  try {
    // Whoever could write to it could choose the filter of root's containers.
    const { uid, mode, size } = fstatSync(file)
    const isOurs = uid === process.geteuid?.() && (mode & constants.S_IFMT) === constants.S_IFREG
    if (!isOurs || (mode & 0o077) !== 0 || size > MOST_BYTES) return undefined
    return decodeEntry(readFileSync(file), key)
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}

/** A cache that cannot be written costs time, nothing else. */
export function writeCachedFilter(directory: number, key: string, facts: SeccompFacts): void {
  const { randomBytes } = process.getBuiltinModule('node:crypto')
  const temporary = entryPath(directory, `${key}.${randomBytes(8).toString('hex')}`)
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const file = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      writeSync(file, encodeEntry(facts, key))
    } finally {
      closeSync(file)
    }
    renameSync(temporary, entryPath(directory, key))
  } catch {
    try {
      unlinkSync(temporary)
    } catch {
      // It was never made.
    }
  }
}

function entryPath(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/seccomp-${name}`
}

function encodeEntry(facts: SeccompFacts, key: string): Buffer {
  const body = Buffer.from(JSON.stringify(facts))
  return Buffer.concat([digestOf(body, key), body])
}

function decodeEntry(entry: Buffer, key: string): SeccompFacts | undefined {
  const body = entry.subarray(DIGEST_SIZE)
  if (!digestOf(body, key).equals(entry.subarray(0, DIGEST_SIZE))) return undefined
  const facts: SeccompFacts = JSON.parse(body.toString())
  return isFilter(Buffer.from(facts.filter, 'base64')) ? facts : undefined
}

/** The key is part of it: an entry under another name is none. */
function digestOf(body: Buffer, key: string): Buffer {
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(key).update(body).digest()
}

/** Whole instructions, no more than the kernel takes, jumps that stay inside, a verdict at the end. */
function isFilter(filter: Buffer): boolean {
  const count = filter.length / INSTRUCTION_SIZE
  if (!Number.isInteger(count) || count < 1 || count > MOST_INSTRUCTIONS) return false
  for (let index = 0; index < count; index++) {
    const at = index * INSTRUCTION_SIZE
    const code = filter.readUInt16LE(at)
    if ((code & 0x07) !== 0x05) continue
    const farthest =
      code === 0x05
        ? filter.readUInt32LE(at + 4)
        : Math.max(filter.readUInt8(at + 2), filter.readUInt8(at + 3))
    if (index + 1 + farthest >= count) return false
  }
  return (filter.readUInt16LE((count - 1) * INSTRUCTION_SIZE) & 0x07) === 0x06
}
