/** Walks a table of fields beside the configured object, in the order of the table. */
import type { Pointer } from '../errors.ts'
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
  return {}
}

export function merge(contributions: readonly Contribution[]): Contribution {
  return {
    steps: contributions.flatMap(({ steps }) => steps ?? []),
    issues: contributions.flatMap(({ issues }) => issues ?? []),
    warnings: contributions.flatMap(({ warnings }) => warnings ?? []),
  }
}
