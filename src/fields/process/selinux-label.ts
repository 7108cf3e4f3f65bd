import type { Field } from '../field.ts'

/** Without SELinux the process would not be confined: an error, as in runc. */
export const selinuxLabel: Field<string> = {
  plan: (label, origin, { facts }) => {
    if (label === '') return {}
    if (!facts.selinux) {
      const expected = 'a host with SELinux enabled, or no label'
      return { issues: [{ pointer: origin, expected, found: label }] }
    }
    const kind = 'set-exec-label'
    return { steps: [{ kind, phase: 'attributes', origin, system: 'selinux', label }] }
  },
}
