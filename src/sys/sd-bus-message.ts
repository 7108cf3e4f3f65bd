/** Values into D-Bus messages, by their signatures. */
import { errnoName } from './errno.ts'
import { bindFunction } from './ffi.ts'

export type BusValue = string | number | bigint | boolean | TypedValue | readonly BusValue[]

export interface TypedValue {
  readonly signature: string
  readonly value: BusValue
}

/** Writes one value; its signature is one complete type. Throws where the value is of another. */
export function appendValue(message: bigint, signature: string, value: BusValue): void {
  const [type = ''] = signature
  switch (type) {
    case 'v':
      appendVariant(message, value)
      break
    case 'a':
      appendList(message, signature.slice(1), value)
      break
    case '(':
      appendMembers(message, 'r', signature.slice(1, -1), value)
      break
    case '{':
      appendMembers(message, 'e', signature.slice(1, -1), value)
      break
    case 's':
    case 'o':
    case 'g':
      appendText(message, type, value)
      break
    default:
      appendNumber(message, type, value)
  }
}

/** The complete types that a signature is made of: `sa(sv)` is `s` and `a(sv)`. */
export function splitSignature(signature: string): readonly string[] {
  const types: string[] = []
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

function endOfType(signature: string, at: number): number {
  const type = signature[at]
  if (type === 'a') return endOfType(signature, at + 1)
  if (type !== '(' && type !== '{') return at + 1
  const close = type === '(' ? ')' : '}'
  let end = at + 1
  while (end < signature.length && signature[end] !== close) end = endOfType(signature, end)
  return end + 1
}

function appendVariant(message: bigint, value: BusValue): void {
  if (typeof value !== 'object' || !('signature' in value)) throw mismatch('v', value)
  inContainer(message, 'v', value.signature, () =>
    appendValue(message, value.signature, value.value),
  )
}

function appendList(message: bigint, element: string, value: BusValue): void {
  if (!Array.isArray(value)) throw mismatch(`a${element}`, value)
  const items: readonly BusValue[] = value
  inContainer(message, 'a', element, () => {
    for (const item of items) appendValue(message, element, item)
  })
}

function appendMembers(message: bigint, kind: 'r' | 'e', types: string, value: BusValue): void {
  const members = splitSignature(types)
  if (!Array.isArray(value) || value.length !== members.length) throw mismatch(`(${types})`, value)
  const items: readonly BusValue[] = value
  inContainer(message, kind, types, () => {
    for (const [index, item] of items.entries()) appendValue(message, members[index] ?? '', item)
  })
}

function appendText(message: bigint, type: string, value: BusValue): void {
  if (typeof value !== 'string') throw mismatch(type, value)
  const append = bind(
    'int sd_bus_message_append_basic(uint64 message, char type, const char *value)',
  )
  check(append(message, type.charCodeAt(0), value), type, value)
}

function appendNumber(message: bigint, type: string, value: BusValue): void {
  const bytes = encodeNumber(type, value)
  const append = bind('int sd_bus_message_append_basic(uint64 message, char type, void *value)')
  check(append(message, type.charCodeAt(0), bytes), type, value)
}

/** As libsystemd takes them: a boolean is an int. */
function encodeNumber(type: string, value: BusValue): Buffer {
  const bytes = Buffer.alloc(8)
  if (type === 'b' && typeof value === 'boolean') bytes.writeInt32LE(value ? 1 : 0)
  else if (type === 'd' && typeof value === 'number') bytes.writeDoubleLE(value)
  else {
    const width = WIDTH[type]
    const isNumber = typeof value === 'number' || typeof value === 'bigint'
    if (width === undefined || !isNumber) throw mismatch(type, value)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
    bytes.fill(0, width)
  }
  return bytes
}

/** Bytes of an integer, little-endian. */
const WIDTH: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, i: 4, u: 4, x: 8, t: 8 }

function inContainer(message: bigint, type: string, contents: string, fill: () => void): void {
  const open = bind(
    'int sd_bus_message_open_container(uint64 message, char type, const char *contents)',
  )
  check(open(message, type.charCodeAt(0), contents), contents, '')
  fill()
  check(bind('int sd_bus_message_close_container(uint64 message)')(message), contents, '')
}

function mismatch(signature: string, value: BusValue): Error {
  return new Error(`a D-Bus value of type ${signature} cannot be ${String(value)}`)
}

function check(result: number | bigint, type: string, value: BusValue): void {
  if (Number(result) >= 0) return
  throw new Error(`D-Bus takes no ${String(value)} as ${type}: ${errnoName(-Number(result))}`)
}

function bind(prototype: string) {
  return bindFunction('libsystemd.so.0', prototype)
}
