import type { Field } from '../field.ts'

/** Absent: the process keeps what the runtime's caller has. */
export const oomScoreAdj: Field<number> = {
  plan: (value, origin) => ({
    steps: [{ kind: 'set-oom-score', phase: 'process', origin, value }],
  }),
}
