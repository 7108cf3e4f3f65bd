import type { Issue } from '../../errors.ts'
import { CONTEXT_TYPES, type ContextType, isContextType } from '../../plan/mount-context.ts'
import type { FilesystemParameter } from '../../plan/steps.ts'
import type { Field, Planning } from '../field.ts'

/** Read where the mounts are planned; here only whether it can be in force. */
export const mountLabel: Field<string> = {
  plan: (label, pointer, planning) => {
    if (label === '') return {}
    const issues: Issue[] = []
    // No process is less confined for it: a warning, where a process's own label is an error.
    const warnings = planning.facts.selinux ? [] : [`${pointer}: no effect: SELinux is off`]
    const type = annotationOf(planning)
    if (!isContextType(type)) {
      const expected = CONTEXT_TYPES.join(', ')
      issues.push({ pointer: `/annotations/${ANNOTATION}`, expected, found: type })
    }
    return { issues, warnings }
  },
}

/** crun's: which of SELinux's mount options the label is given by. */
const ANNOTATION = 'run.oci.mount_context_type'

/** Those whose files SELinux labels by itself: it refuses a context for them. */
const WITHOUT_CONTEXT: readonly string[] = ['proc', 'sysfs', 'mqueue', 'cgroup', 'cgroup2']

export function mountLabelOf({ spec, facts }: Planning): string | undefined {
  const label = spec.linux?.mountLabel ?? ''
  return facts.selinux && label !== '' ? label : undefined
}

/** The parameter that labels a new filesystem, unless its options do. */
export function contextOf(
  type: string,
  parameters: readonly FilesystemParameter[],
  planning: Planning,
): readonly FilesystemParameter[] {
  const value = mountLabelOf(planning)
  const isLabelled = parameters.some(({ key }) => isContextType(key))
  if (value === undefined || isLabelled || WITHOUT_CONTEXT.includes(type)) return []
  const key: ContextType | string = annotationOf(planning)
  return [{ key, value }]
}

function annotationOf({ spec }: Planning): string {
  return spec.annotations?.[ANNOTATION] ?? 'context'
}
