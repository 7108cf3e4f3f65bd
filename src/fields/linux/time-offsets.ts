import type { TimeOffsets } from '../../config/spec.ts'
import type { Field } from '../field.ts'

const CLOCKS = ['monotonic', 'boottime'] as const

/** By the runtime while the stage waits: once a process is in the namespace they are frozen. */
export const timeOffsets: Field<TimeOffsets> = {
  plan: (configured, origin) => {
    const offsets = CLOCKS.flatMap((clock) => {
      const offset = configured[clock]
      if (offset === undefined) return []
      return [{ clock, secs: offset.secs ?? 0n, nanosecs: offset.nanosecs ?? 0 }]
    })
    if (offsets.length === 0) return {}
    return { steps: [{ kind: 'set-time-offsets', phase: 'stage', origin, offsets }] }
  },
}
