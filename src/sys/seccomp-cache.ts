/**
 * Compiled filters on disk: one file each, which holds the text of all that the filter depends on
 * and is named by its hash. An entry that is not exactly what was written, or is of another text,
 * is no entry; the caller compiles and writes anew. The texts are compared, so that the hashes need
 * not be cryptographic: to load node:crypto takes longer than to compile most profiles.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { SeccompFacts } from '../host/facts.ts'

const CHECKSUM_SIZE = 4
const INSTRUCTION_SIZE = 8
/** BPF_MAXINSNS: the kernel takes no more. */
const MOST_INSTRUCTIONS = 4096
/** Engines bring one profile or a few; who brings a new one each time does not fill the disk. */
const MOST_ENTRIES = 64
/** Beside containers, none of which can have an id with this in it. */
const PREFIX = 'seccomp@'
/** A full filter is 44 KB in base64. */
const MOST_BYTES = 1 << 20

/** `directory` is an fd, `key` the text. */
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
  const temporary = `${entryPath(directory, key)}.${process.pid}.${process.hrtime.bigint()}`
  try {
    makeRoom(directory)
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

function makeRoom(directory: number): void {
  const here = `/proc/self/fd/${directory}`
  const entries = readdirSync(here).filter((name) => name.startsWith(PREFIX))
  if (entries.length < MOST_ENTRIES) return
  for (const name of entries) unlinkSync(`${here}/${name}`)
}

function entryPath(directory: number, key: string): string {
  const name = hash(Buffer.from(key)).toString(16).padStart(8, '0')
  return `/proc/self/fd/${directory}/${PREFIX}${name}`
}

function encodeEntry(facts: SeccompFacts, key: string): Buffer {
  const body = Buffer.from(JSON.stringify({ key, facts }))
  const checksum = Buffer.alloc(CHECKSUM_SIZE)
  checksum.writeUInt32LE(hash(body))
  return Buffer.concat([checksum, body])
}

function decodeEntry(entry: Buffer, key: string): SeccompFacts | undefined {
  const body = entry.subarray(CHECKSUM_SIZE)
  if (hash(body) !== entry.readUInt32LE(0)) return undefined
  const found: { key: string; facts: SeccompFacts } = JSON.parse(body.toString())
  if (found.key !== key) return undefined
  return isFilter(Buffer.from(found.facts.filter, 'base64')) ? found.facts : undefined
}

/** FNV-1a, 32 bits. By index: an iterator takes thrice as long before V8 optimizes it. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) value = Math.imul(value ^ (bytes[at] ?? 0), 0x01000193)
  return value >>> 0
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
