/**
 * JSON with positions. Values come from JSON.parse, which is native and strict; positions, the
 * exact digits of large numbers and the place of a syntax error are read from the text, and only
 * when somebody asks, so that a good file costs nothing more.
 */
import { type Pointer, SpecError } from '../errors.ts'
import { findSyntaxError } from './json-syntax.ts'
import { splitPointer, toPointer } from './pointer.ts'

/** Far beyond any config; keeps every later walk over the value shallow. */
export const MAX_DEPTH = 128

export interface JsonDocument {
  readonly file: string
  readonly text: string
  readonly value: unknown
  /** Members that were `null`; Go writers emit them for what is absent. They are dropped. */
  readonly nulls: readonly Pointer[]
}

export interface Position {
  readonly line: number
  readonly column: number
}

export function parseJson(source: string, file: string): JsonDocument {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source
  const nulls: Pointer[] = []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw syntaxError(text, file)
  }
  const document = { file, text, value, nulls }
  const tooDeep = dropNulls(value, [], nulls)
  if (tooDeep !== undefined) {
    const expected = `at most ${MAX_DEPTH} levels of nesting`
    throw new SpecError(file, [{ pointer: '', ...locate(document, tooDeep), expected }])
  }
  return document
}

/** Where the value at the pointer begins; where there is none, its nearest parent. */
export function locate(document: JsonDocument, pointer: Pointer): Position {
  return toPosition(document.text, findValue(document, splitPointer(pointer)).offset)
}

/** The text of the scalar at the pointer, e.g. all digits of a number. */
export function readSource(document: JsonDocument, pointer: Pointer): string | undefined {
  const { offset, found } = findValue(document, splitPointer(pointer))
  return found ? document.text.slice(offset, skipValue(document.text, offset)) : undefined
}

function syntaxError(text: string, file: string): SpecError {
  const { offset, expected, found } = findSyntaxError(text, MAX_DEPTH)
  return new SpecError(file, [{ pointer: '', ...toPosition(text, offset), expected, found }])
}

/** Returns the pointer of what is nested too deeply. `path` leads to the value. */
function dropNulls(
  value: unknown,
  path: (string | number)[],
  nulls: Pointer[],
): Pointer | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (path.length >= MAX_DEPTH) return toPointer(path)
  const members = value as Record<string | number, unknown>
  const names = Array.isArray(value) ? value.keys() : Object.keys(value)
  for (const name of names) {
    const member = members[name]
    if (typeof member !== 'object') continue
    path.push(name)
    if (member === null && typeof name === 'string') {
      nulls.push(toPointer(path))
      delete members[name]
    }
    const tooDeep = dropNulls(member, path, nulls)
    if (tooDeep !== undefined) return tooDeep
    path.pop()
  }
  return undefined
}

function toPosition(text: string, offset: number): Position {
  let line = 1
  let start = 0
  for (let end = text.indexOf('\n'); end !== -1 && end < offset; end = text.indexOf('\n', start)) {
    line++
    start = end + 1
  }
  return { line, column: offset - start + 1 }
}

// The functions below read text that JSON.parse has accepted.

function findValue(
  document: JsonDocument,
  path: readonly string[],
): { offset: number; found: boolean } {
  let offset = skipSpace(document.text, 0)
  for (const part of path) {
    const next = findMember(document, offset, part)
    if (next === undefined) return { offset, found: false }
    offset = next
  }
  return { offset, found: true }
}

/** An object or array, as far as it was read. */
interface Scan {
  readonly isObject: boolean
  /** Where the members, or the items by index, begin. */
  readonly members: Map<string, number>
  /** The value that was found last; not yet skipped, for it may be the one. */
  value?: number
  isComplete: boolean
}

/** Each is read once, however many values are looked for in it. */
const scans = new WeakMap<JsonDocument, Map<number, Scan>>()

function findMember(document: JsonDocument, offset: number, name: string): number | undefined {
  const scan = scanAt(document, offset)
  // Of an object all: of members with one name the last one counts.
  while (!scan.isComplete && (scan.isObject || !scan.members.has(name))) {
    readMember(document.text, scan, offset)
  }
  return scan.members.get(name)
}

function scanAt(document: JsonDocument, offset: number): Scan {
  const { text } = document
  const all = scans.get(document) ?? new Map<number, Scan>()
  scans.set(document, all)
  const isObject = text[offset] === '{'
  const isComplete = !isObject && text[offset] !== '['
  const scan = all.get(offset) ?? { isObject, members: new Map<string, number>(), isComplete }
  all.set(offset, scan)
  return scan
}

function readMember(text: string, scan: Scan, offset: number): void {
  const { value } = scan
  let at =
    value === undefined ? skipSpace(text, offset + 1) : skipSeparator(text, skipValue(text, value))
  scan.isComplete = at >= text.length || '}]'.includes(text.charAt(at))
  if (scan.isComplete) return
  let name = String(scan.members.size)
  if (scan.isObject) {
    const end = skipValue(text, at)
    name = String(JSON.parse(text.slice(at, end)))
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  scan.members.set(name, at)
  scan.value = at
}

function skipSeparator(text: string, offset: number): number {
  const at = skipSpace(text, offset)
  return text[at] === ',' ? skipSpace(text, at + 1) : at
}

function skipSpace(text: string, offset: number): number {
  return skip(/[ \t\r\n]*/y, text, offset)
}

const SCALAR = /"(?:[^"\\]|\\.)*"|[^\s,:\]}]+/y

/** The end of the value that begins at the offset. */
function skipValue(text: string, offset: number): number {
  if (text[offset] !== '{' && text[offset] !== '[') return skip(SCALAR, text, offset)
  const marks = /["{}[\]]/g
  marks.lastIndex = offset
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    if (mark[0] === '"') marks.lastIndex = skip(SCALAR, text, mark.index)
    else depth += mark[0] === '{' || mark[0] === '[' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}

function skip(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset
  return pattern.test(text) ? pattern.lastIndex : offset
}
