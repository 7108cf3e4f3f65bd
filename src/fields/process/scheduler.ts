import type { Scheduler } from '../../config/spec.ts'
import type { SchedulerFlag, SchedulerPolicy } from '../../plan/steps.ts'
import type { Field } from '../field.ts'

/** Whether policy and numbers go together was checked by config/. */
export const scheduler: Field<Scheduler> = {
  plan: ({ policy, flags = [], nice = 0, priority = 0, ...times }, origin) => ({
    steps: [
      {
        kind: 'set-scheduler',
        phase: 'attributes',
        origin,
        policy: policy.replace('SCHED_', '') as SchedulerPolicy,
        flags: flags.map((flag) => flag.replace('SCHED_FLAG_', '') as SchedulerFlag),
        nice,
        priority,
        runtime: times.runtime ?? 0n,
        deadline: times.deadline ?? 0n,
        period: times.period ?? 0n,
      },
    ],
  }),
}
