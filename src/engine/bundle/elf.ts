/** What the dynamic linker would read of a program. Parsed here: ldd runs the program. */
import { closeSync, openSync, readSync } from 'node:fs'

export interface Executable {
  readonly machine: number
  /** PT_INTERP: the dynamic linker; absent for static programs and libraries. */
  readonly interpreter?: string
  /** DT_NEEDED: names of libraries. */
  readonly needed: readonly string[]
  /** DT_RUNPATH, or the older DT_RPATH, split; `$ORIGIN` is still in it. */
  readonly searched: readonly string[]
}

const SEGMENT = { load: 1, dynamic: 2, interpreter: 3 } as const
const TAG = { end: 0, needed: 1, strings: 5, rpath: 15, runpath: 29 } as const
/** Beyond these a header is not believed. */
const MAX_SEGMENTS = 256
const MAX_BLOCK = 1 << 20

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

/** undefined: no 64-bit little-endian ELF file. */
export function readExecutable(path: string): Executable | undefined {
  const fd = openSync(path, 'r')
  try {
    const header = readAt(fd, 0, 64)
    if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46) return undefined
    if (header[4] !== 2 || header[5] !== 1) return undefined
    const segments = readSegments(fd, header)
    const interpreter = segments.find(({ type }) => type === SEGMENT.interpreter)
    const dynamic = readDynamic(fd, segments)
    return {
      machine: header.readUInt16LE(18),
      ...(interpreter && {
        interpreter: textAt(readAt(fd, interpreter.offset, interpreter.size), 0),
      }),
      needed: dynamic.filter(({ tag }) => tag === TAG.needed).map(({ text }) => text),
      searched:
        (
          dynamic.find(({ tag }) => tag === TAG.runpath) ??
          dynamic.find(({ tag }) => tag === TAG.rpath)
        )?.text.split(':') ?? [],
    }
  } finally {
    closeSync(fd)
  }
}

function readSegments(fd: number, header: Buffer): Segment[] {
  const size = header.readUInt16LE(54)
  const count = Math.min(header.readUInt16LE(56), MAX_SEGMENTS)
  const table = readAt(fd, Number(header.readBigUInt64LE(32)), size * count)
  if (size < 56 || table.length < size * count) return []
  return Array.from({ length: count }, (_, index) => {
    const at = index * size
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      size: Number(table.readBigUInt64LE(at + 32)),
    }
  })
}

/** The entries whose value is text. */
function readDynamic(fd: number, segments: readonly Segment[]): { tag: number; text: string }[] {
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic)
  if (dynamic === undefined) return []
  const table = readAt(fd, dynamic.offset, dynamic.size)
  const entries: { tag: number; value: number }[] = []
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const tag = Number(table.readBigInt64LE(at))
    if (tag === TAG.end) break
    entries.push({ tag, value: Number(table.readBigUInt64LE(at + 8)) })
  }
  const address = entries.find(({ tag }) => tag === TAG.strings)?.value
  if (address === undefined) return []
  const home = segments.find(
    (segment) =>
      segment.type === SEGMENT.load &&
      address >= segment.address &&
      address < segment.address + segment.size,
  )
  if (home === undefined) return []
  const strings = readAt(fd, address - home.address + home.offset, MAX_BLOCK)
  const isText = (tag: number) => tag === TAG.needed || tag === TAG.rpath || tag === TAG.runpath
  return entries
    .filter(({ tag, value }) => isText(tag) && value < strings.length)
    .map(({ tag, value }) => ({ tag, text: textAt(strings, value) }))
}

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('utf8', at, end < 0 ? bytes.length : end)
}

function readAt(fd: number, position: number, size: number): Buffer {
  if (!Number.isSafeInteger(position)) return Buffer.alloc(0)
  const bytes = Buffer.alloc(Math.min(size, MAX_BLOCK))
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, position))
}
