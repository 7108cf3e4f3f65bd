import type { Issue, Pointer } from '../errors.ts'
import type { Contribution, Field, Planning } from './field.ts'
import { hasOwnNamespace } from './linux/namespaces.ts'

export const hostname: Field<string> = { plan: planHostname }

function planHostname(name: string, origin: Pointer, planning: Planning): Contribution {
  if (name === '') return {}
  const issues = checkHostName(origin, planning)
  if (issues.length > 0) return { issues }
  return { steps: [{ kind: 'set-hostname', phase: 'hostname', origin, name }] }
}

/** A namespace may be given by a path that is the runtime's own: the host's name must stay. */
export function checkHostName(pointer: Pointer, planning: Planning): Issue[] {
  if (hasOwnNamespace('uts', planning)) return []
  return [{ pointer, expected: "no name, for the uts namespace is the host's" }]
}
