import type { Issue, Pointer } from '../../errors.ts'
import type { NamespaceType, Spec } from '../spec.ts'

/** A rule that a schema cannot say. */
export interface Check {
  readonly name: string
  /** What it looks at: it only runs where the schema has found nothing wrong there. */
  readonly reads: readonly Pointer[]
  readonly run: (spec: Spec) => readonly Issue[]
}

/** Whether the container has a namespace of this type that is not simply the runtime's. */
export function hasNamespace(spec: Spec, type: NamespaceType): boolean {
  return spec.linux?.namespaces?.some((namespace) => namespace.type === type) ?? false
}

/** One issue for each item of a list whose key an earlier item has already. */
export function findDuplicates<T>(
  items: readonly T[] | undefined,
  at: Pointer,
  key: (item: T) => string,
): Issue[] {
  const seen = new Set<string>()
  const issues: Issue[] = []
  for (const [index, item] of (items ?? []).entries()) {
    const value = key(item)
    if (seen.has(value)) {
      issues.push({
        pointer: `${at}/${index}`,
        expected: 'each type once',
        found: `${value} again`,
      })
    }
    seen.add(value)
  }
  return issues
}

/** An issue unless the number, where there is one, lies in the range. */
export function checkRange(
  value: number | bigint | undefined,
  pointer: Pointer,
  least: number,
  most: number,
): Issue[] {
  if (value === undefined || (value >= least && value <= most)) return []
  return [{ pointer, expected: `${least} to ${most}`, found: String(value) }]
}
