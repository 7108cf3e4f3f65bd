/**
 * GVariant text, the form in which annotations give values of unit properties: `uint64 5`,
 * `'text'`, `true`, `['a', 'b']`, `@as []`, `('a', <5>)`, `{'a': 1}`. An integer without a type
 * is an int32, one with a point a double, as GVariant has it.
 */
import type { BusValue, TypedValue } from '../../../plan/unit-property.ts'

/** Throws an Error with what is wrong and where. */
export function parseGvariant(text: string): TypedValue {
  const reader: Reader = { text, at: 0, depth: 0 }
  const value = readValue(reader)
  skipBlanks(reader)
  if (reader.at < text.length) throw complain(reader, 'the end')
  return value
}

const KEYWORDS: Readonly<Record<string, string>> = {
  boolean: 'b',
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
  double: 'd',
  string: 's',
  objectpath: 'o',
  signature: 'g',
}

/** Lowest and highest number of each integer type. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 255n],
  n: [-(2n ** 15n), 2n ** 15n - 1n],
  q: [0n, 2n ** 16n - 1n],
  i: [-(2n ** 31n), 2n ** 31n - 1n],
  u: [0n, 2n ** 32n - 1n],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
}

/** A config is not deeper than that; a text that is would end the stack. */
const DEEPEST = 32

/** The text, and how far it is read. */
interface Reader {
  readonly text: string
  at: number
  depth: number
}

function skipBlanks(reader: Reader): void {
  take(reader, /\s*/y)
}

/** What the expression, which is sticky, matches here; undefined: nothing. */
function take(reader: Reader, expression: RegExp): string | undefined {
  expression.lastIndex = reader.at
  const found = expression.exec(reader.text)?.[0]
  reader.at += found?.length ?? 0
  return found
}

function takeSign(reader: Reader, sign: string): boolean {
  skipBlanks(reader)
  if (!reader.text.startsWith(sign, reader.at)) return false
  reader.at += sign.length
  return true
}

function complain(reader: Reader, expected: string): Error {
  return new Error(`expected ${expected} at character ${reader.at + 1}`)
}

/** `type` is what the text around it says that it must be. */
function readValue(reader: Reader, type?: string): TypedValue {
  if (++reader.depth > DEEPEST) throw complain(reader, 'less nesting')
  try {
    skipBlanks(reader)
    if (takeSign(reader, '@')) {
      const signature = take(reader, /[a-z(){}]+/y)
      if (signature === undefined) throw complain(reader, 'a type')
      return readValue(reader, signature)
    }
    if (takeSign(reader, '[')) return readArray(reader, type)
    if (takeSign(reader, '(')) return readTuple(reader, type)
    if (takeSign(reader, '{')) return readDictionary(reader)
    if (takeSign(reader, '<')) return readVariant(reader)
    return readBasic(reader, type)
  } finally {
    reader.depth--
  }
}

function readBasic(reader: Reader, type?: string): TypedValue {
  const quoted = take(reader, /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/y)
  if (quoted !== undefined) {
    if (type !== undefined && !'sog'.includes(type))
      throw complain(reader, `a value of type ${type}`)
    return { signature: type ?? 's', value: unescapeText(quoted.slice(1, -1)) }
  }
  const number = take(reader, /[+-]?\d[\d.eExXa-fA-F+-]*/y)
  if (number !== undefined) return readNumber(reader, number, type)
  const word = take(reader, /[a-z0-9]+/y) ?? ''
  if (word === 'true' || word === 'false') {
    if (type !== undefined && type !== 'b') throw complain(reader, `a value of type ${type}`)
    return { signature: 'b', value: word === 'true' }
  }
  const keyword = KEYWORDS[word]
  if (keyword === undefined) throw complain(reader, 'a value')
  skipBlanks(reader)
  return readBasic(reader, keyword)
}

function readNumber(reader: Reader, text: string, type?: string): TypedValue {
  const isInteger = /^[+-]?(\d+|0x[0-9a-fA-F]+)$/.test(text)
  const signature = type ?? (isInteger ? 'i' : 'd')
  if (signature === 'd') {
    if (!/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text)) throw complain(reader, 'a number')
    return { signature, value: Number(text) }
  }
  const range = RANGES[signature]
  if (!isInteger || range === undefined) throw complain(reader, `a value of type ${signature}`)
  const digits = BigInt(text.replace(/^[+-]/, ''))
  const value = text.startsWith('-') ? -digits : digits
  if (value < range[0] || value > range[1]) throw complain(reader, `a number of type ${signature}`)
  return { signature, value }
}

function readArray(reader: Reader, type?: string): TypedValue {
  if (type !== undefined && !type.startsWith('a')) throw complain(reader, `a value of type ${type}`)
  let element = type?.slice(1)
  const items = readItems(reader, ']', () => {
    const item = readValue(reader, element)
    element ??= item.signature
    if (item.signature !== element) throw complain(reader, `an element of type ${element}`)
    return item.value
  })
  if (element === undefined) throw complain(reader, 'a type before an empty array: @as []')
  return { signature: `a${element}`, value: items }
}

function readTuple(reader: Reader, type?: string): TypedValue {
  const members: TypedValue[] = []
  readItems(reader, ')', () => members.push(readValue(reader)))
  const signature = `(${members.map((member) => member.signature).join('')})`
  if (type !== undefined && type !== signature) throw complain(reader, `a value of type ${type}`)
  return { signature, value: members.map(({ value }) => value) }
}

function readDictionary(reader: Reader): TypedValue {
  let entry: string | undefined
  const entries = readItems(reader, '}', (): BusValue => {
    const key = readValue(reader)
    if (!takeSign(reader, ':')) throw complain(reader, 'a colon')
    const value = readValue(reader)
    const signature = `{${key.signature}${value.signature}}`
    entry ??= signature
    if (entry !== signature) throw complain(reader, `an entry of type ${entry}`)
    return [key.value, value.value]
  })
  if (entry === undefined) throw complain(reader, 'an entry')
  return { signature: `a${entry}`, value: entries }
}

function readVariant(reader: Reader): TypedValue {
  const value = readValue(reader)
  if (!takeSign(reader, '>')) throw complain(reader, '>')
  return { signature: 'v', value }
}

/** Up to the closing sign, with commas between, and after the last where a tuple has one member. */
function readItems<T>(reader: Reader, end: string, read: () => T): T[] {
  const items: T[] = []
  while (!takeSign(reader, end)) {
    if (items.length > 0 && !takeSign(reader, ',')) throw complain(reader, `a comma or ${end}`)
    if (items.length > 0 && takeSign(reader, end)) break
    items.push(read())
  }
  return items
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

function unescapeText(text: string): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, sign: string) =>
    sign.length === 5
      ? String.fromCharCode(Number.parseInt(sign.slice(1), 16))
      : (ESCAPES[sign] ?? sign),
  )
}
