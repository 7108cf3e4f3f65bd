import type { IoPriority } from '../../config/spec.ts'
import type { SetIoPriority } from '../../plan/steps.ts'
import type { Field } from '../field.ts'

export const ioPriority: Field<IoPriority> = {
  plan: (configured, origin) => ({
    steps: [
      {
        kind: 'set-io-priority',
        phase: 'attributes',
        origin,
        class: configured.class.replace('IOPRIO_CLASS_', '') as SetIoPriority['class'],
        priority: configured.priority ?? 0,
      },
    ],
  }),
}
