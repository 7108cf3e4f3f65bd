import type { Pointer } from '../../errors.ts'
import type { Contribution, Field } from '../field.ts'

/** Absent: the process keeps what the runtime's caller has. */
export const oomScoreAdj: Field<number> = { plan: planOomScore }

function planOomScore(value: number, origin: Pointer): Contribution {
  if (value < -1000 || value > 1000) {
    const expected = 'a number from -1000 to 1000'
    return { issues: [{ pointer: origin, expected, found: `${value}` }] }
  }
  return { steps: [{ kind: 'set-oom-score', phase: 'process', origin, value }] }
}
