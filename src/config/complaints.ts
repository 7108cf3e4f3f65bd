/** The validator's complaints in words that help. */
import type { Issue, Pointer } from '../errors.ts'
import { findNearest } from './nearest.ts'
import { type JsonDocument, readSource } from './parse-json.ts'
import { joinPointer, splitPointer } from './pointer.ts'
import { type Complaint, patternTitles } from './validators.generated.js'
import type { Unknown } from './walk-shape.ts'

const MAX_FOUND = 60

export function toIssues(
  complaints: readonly Complaint[],
  document: JsonDocument,
  unknown: readonly Unknown[],
): Issue[] {
  const issues = new Map<Pointer, Issue>()
  for (const complaint of complaints) {
    const issue =
      complaint.keyword === 'required'
        ? describeMissing(complaint, unknown)
        : describeWrong(complaint, document)
    // One value breaks several rules at once; the first says enough.
    if (!issues.has(issue.pointer)) issues.set(issue.pointer, issue)
  }
  return [...issues.values()]
}

function describeMissing({ instancePath, params }: Complaint, unknown: readonly Unknown[]): Issue {
  const name = params.missingProperty ?? ''
  const issue = { pointer: joinPointer(instancePath, name), expected: 'a value (it is required)' }
  const siblings = unknown
    .map(({ pointer }) => pointer)
    .filter((pointer) => pointer.lastIndexOf('/') === instancePath.length)
    .map((pointer) => splitPointer(pointer).at(-1) ?? '')
  const misspelt = findNearest(name, siblings)
  if (misspelt === undefined) return { ...issue, found: 'nothing' }
  return { ...issue, found: JSON.stringify(misspelt), didYouMean: JSON.stringify(name) }
}

function describeWrong(complaint: Complaint, document: JsonDocument): Issue {
  const { instancePath: pointer, params } = complaint
  const found = describeFound(document, pointer)
  const issue = { pointer, expected: describeExpected(complaint), found: found.text }
  if (params.allowedValues === undefined || typeof found.value !== 'string') return issue
  const didYouMean = findNearest(found.value, params.allowedValues)
  return didYouMean === undefined ? issue : { ...issue, didYouMean }
}

function describeExpected({ keyword, params }: Complaint): string {
  switch (keyword) {
    case 'type':
      return params.type === undefined || params.type === 'boolean'
        ? 'true or false'
        : `${/^[aio]/.test(params.type) ? 'an' : 'a'} ${params.type}`
    case 'enum':
      return `one of ${params.allowedValues?.join(', ')}`
    case 'minimum':
      return `at least ${toDigits(params.limit ?? 0)}`
    case 'maximum':
      return `at most ${toDigits(params.limit ?? 0)}`
    case 'minItems':
      return `at least ${params.limit} item`
    case 'pattern':
      return patternTitles[params.pattern ?? ''] ?? `text that matches ${params.pattern}`
    default:
      return `a value that satisfies ${keyword}`
  }
}

/** The limits 2^63-1 and 2^64-1 are one more as a double. */
function toDigits(limit: number): string {
  return limit > Number.MAX_SAFE_INTEGER ? String(BigInt(limit) - 1n) : String(BigInt(limit))
}

function describeFound(
  document: JsonDocument,
  pointer: Pointer,
): { readonly value: unknown; readonly text: string } {
  let value: unknown = document.value
  for (const part of splitPointer(pointer)) value = (value as Record<string, unknown>)[part]
  if (Array.isArray(value)) return { value, text: 'an array' }
  if (typeof value === 'object') return { value, text: value === null ? 'null' : 'an object' }
  if (typeof value === 'string') return { value, text: quote(value) }
  return { value, text: readSource(document, pointer) ?? String(value) }
}

/** A string as it is shown in an issue. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_FOUND ? `${text.slice(0, MAX_FOUND)}…` : text)
}
