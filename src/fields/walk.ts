/** Walks a table of fields beside the configured object, in the order of the table. */
import type { Issue, Pointer } from '../errors.ts'
import type { Contribution, Field, Fields, Planning } from './field.ts'

export function planFields<T>(
  fields: Fields<T>,
  value: T | undefined,
  at: Pointer,
  planning: Planning,
): Contribution {
  const contributions: Contribution[] = []
  for (const key in fields) {
    const configured = value?.[key] ?? undefined
    contributions.push(planField(fields[key], configured, `${at}/${key}`, planning))
  }
  return merge(contributions)
}

function planField<T>(
  field: Field<T>,
  value: T | undefined,
  at: Pointer,
  planning: Planning,
): Contribution {
  if ('fields' in field) {
    return planFields(field.fields, value, at, planning)
  }
  if ('plan' in field) {
    return value === undefined
      ? (field.absent?.(at, planning) ?? {})
      : field.plan(value, at, planning)
  }
  if ('unsupported' in field) {
    return value === undefined || asksNothing(value)
      ? {}
      : { issues: [notYet(at, field.unsupported)] }
  }
  return {}
}

/** What is in the spec but not in this version. */
export function notYet(pointer: Pointer, what: string): Issue {
  return { pointer, expected: 'nothing', message: `not supported yet: ${pointer} (${what})` }
}

export function merge(contributions: readonly Contribution[]): Contribution {
  return {
    steps: contributions.flatMap(({ steps }) => steps ?? []),
    issues: contributions.flatMap(({ issues }) => issues ?? []),
    warnings: contributions.flatMap(({ warnings }) => warnings ?? []),
  }
}

/** Writers of configs emit `""`, `[]`, `{}` and `false` for what they do not want. */
function asksNothing(value: unknown): boolean {
  if (value === '' || value === false) return true
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
