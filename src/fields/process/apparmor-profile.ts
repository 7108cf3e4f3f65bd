import type { Field } from '../field.ts'

/** Without AppArmor the profile would not be in force: an error, as in runc. */
export const apparmorProfile: Field<string> = {
  plan: (label, origin, { facts }) => {
    if (label === '') return {}
    if (!facts.apparmor) {
      const expected = 'a host with AppArmor enabled, or no profile'
      return { issues: [{ pointer: origin, expected, found: label }] }
    }
    const kind = 'set-exec-label'
    return { steps: [{ kind, phase: 'attributes', origin, system: 'apparmor', label }] }
  },
}
