import type { Pointer } from '../errors.ts'
import type { Contribution, Field, Planning } from './field.ts'
import { checkHostName } from './hostname.ts'

export const domainname: Field<string> = { plan: planDomainname }

function planDomainname(name: string, origin: Pointer, planning: Planning): Contribution {
  if (name === '') return {}
  const issues = checkHostName(origin, planning)
  if (issues.length > 0) return { issues }
  return { steps: [{ kind: 'set-domainname', phase: 'hostname', origin, name }] }
}
