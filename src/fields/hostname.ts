import type { Issue, Pointer } from '../errors.ts'
import type { Contribution, Field, Planning } from './field.ts'
import { hasOwnNamespace } from './linux/namespaces.ts'

export const hostname: Field<string> = { plan: planHostname }

function planHostname(name: string, origin: Pointer, planning: Planning): Contribution {
  if (name === '') return {}
  const issues = checkHostName(name, origin, planning)
  if (issues.length > 0) return { issues }
  return { steps: [{ kind: 'set-hostname', phase: 'hostname', origin, name }] }
}

/** The host's own name must stay; 64 bytes is the kernel's limit (__NEW_UTS_LEN). */
export function checkHostName(name: string, pointer: Pointer, planning: Planning): Issue[] {
  const issues: Issue[] = []
  if (!hasOwnNamespace('uts', planning)) {
    issues.push({ pointer, expected: 'a uts namespace of its own in /linux/namespaces for a name' })
  }
  const bytes = Buffer.byteLength(name)
  if (bytes > 64) {
    issues.push({ pointer, expected: 'a name of at most 64 bytes', found: `${bytes} bytes` })
  }
  return issues
}
