import { joinPointer } from '../../config/pointer.ts'
import { needsOf, toSysctlPath } from '../../config/sysctl.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { SetSysctl } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { hasOwnNamespace } from './namespaces.ts'

type Sysctls = Readonly<Record<string, string>>

export const sysctl: Field<Sysctls> = { plan: planSysctl }

function planSysctl(configured: Sysctls, at: Pointer, planning: Planning): Contribution {
  const issues: Issue[] = []
  const steps: SetSysctl[] = []
  for (const [name, value] of Object.entries(configured)) {
    const origin = joinPointer(at, name)
    const expected = checkNamespace(name, planning)
    if (expected !== undefined) issues.push({ pointer: origin, expected })
    const path = toSysctlPath(name)
    steps.push({ kind: 'set-sysctl', phase: 'sysctl', origin, path, value })
  }
  return { steps, issues }
}

/** A namespace may be given by a path that is the runtime's own: the host would be changed. */
function checkNamespace(name: string, planning: Planning): string | undefined {
  const needs = needsOf(name)
  if ('refused' in needs) return needs.refused
  if (hasOwnNamespace(needs.namespace, planning)) return undefined
  return `a ${needs.namespace} namespace that is not the host's`
}
