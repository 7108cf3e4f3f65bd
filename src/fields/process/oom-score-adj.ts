import type { Field } from '../field.ts'
import { isHostPrivileged } from '../linux/user-namespace.ts'

/** Absent: the process keeps what the runtime's caller has. */
export const oomScoreAdj: Field<number> = {
  plan: (value, origin, planning) => ({
    steps: [
      {
        kind: 'set-oom-score',
        phase: 'process',
        origin,
        value,
        // Engines write what their own service has: no reason not to run for a user.
        ...(!isHostPrivileged(planning) && { denied: 'skip' as const }),
      },
    ],
  }),
}
