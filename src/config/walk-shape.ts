/** One walk along the schema's shape: unknown members are found, 64-bit integers made bigint. */
import type { Issue, Pointer } from '../errors.ts'
import { findNearest } from './nearest.ts'
import { type JsonDocument, readSource } from './parse-json.ts'
import { joinPointer } from './pointer.ts'
import type { Shape } from './shape.ts'

export interface Unknown {
  readonly pointer: Pointer
  readonly nearest?: string
}

interface Walk {
  readonly document: JsonDocument
  readonly unknown: Unknown[]
  readonly issues: Issue[]
}

type Container = Record<string | number, unknown>

export function walkShape(
  shape: Shape,
  document: JsonDocument,
): { readonly unknown: readonly Unknown[]; readonly issues: readonly Issue[] } {
  const walk: Walk = { document, unknown: [], issues: [] }
  visit(walk, shape, document.value, '')
  return walk
}

function visit(walk: Walk, shape: Shape, value: unknown, pointer: Pointer): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    if (shape.items === undefined) return
    for (let index = 0; index < value.length; index++) {
      visitMember(walk, shape.items, value as object as Container, index, pointer)
    }
    return
  }
  const { properties, values } = shape
  if (properties === undefined && values === undefined) return
  const container = value as Container
  for (const name of Object.keys(container)) {
    if (values !== undefined) {
      visitMember(walk, values, container, name, pointer)
    } else if (properties !== undefined && Object.hasOwn(properties, name)) {
      visitMember(walk, properties[name] ?? {}, container, name, pointer)
    } else {
      const nearest = findNearest(name, Object.keys(properties ?? {}))
      const found = { pointer: joinPointer(pointer, name) }
      walk.unknown.push(nearest === undefined ? found : { ...found, nearest })
    }
  }
}

function visitMember(
  walk: Walk,
  shape: Shape,
  parent: Container,
  member: string | number,
  pointer: Pointer,
): void {
  const value = parent[member]
  if (typeof value === 'object') visit(walk, shape, value, joinPointer(pointer, member))
  else if (shape.wide !== undefined && typeof value === 'number' && Number.isInteger(value)) {
    parent[member] = widen(walk, shape.wide, value, joinPointer(pointer, member))
  }
}

const RANGES = {
  int64: { least: -(2n ** 63n), most: 2n ** 63n - 1n },
  uint64: { least: 0n, most: 2n ** 64n - 1n },
} as const

function widen(walk: Walk, type: keyof typeof RANGES, value: number, pointer: Pointer): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value)
  const digits = readSource(walk.document, pointer) ?? ''
  const exact = /^-?\d+$/.test(digits) ? BigInt(digits) : BigInt(value)
  const { least, most } = RANGES[type]
  if (exact < least || exact > most) {
    const expected = exact < least ? `at least ${least}` : `at most ${most}`
    walk.issues.push({ pointer, expected, found: digits })
  }
  return exact
}
