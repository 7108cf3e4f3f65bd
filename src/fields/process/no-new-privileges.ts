import type { Field } from '../field.ts'

export const noNewPrivileges: Field<boolean> = {
  plan: (isOn, origin) =>
    isOn ? { steps: [{ kind: 'no-new-privileges', phase: 'capabilities', origin }] } : {},
}
