import type { Pids } from '../../../config/spec.ts'
import type { Pointer } from '../../../errors.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { findController, planController } from './controller.ts'

export const pids: Field<Pids> = { plan: planPids }

function planPids({ limit }: Pids, at: Pointer, planning: Planning): Contribution {
  // Unlimited is what a host without the controller gives.
  const isThere = !planning.options.withoutCgroup && findController('pids', planning) !== undefined
  if (limit < 0n && !isThere) return {}
  const setting = { field: 'limit', file: 'pids.max', value: limitOfTasks(limit) }
  return planController('pids', at, planning, () => ({ settings: [setting] }))
}

/** 0 becomes 1, as in runc: systemd cannot say 0, and one task is the container's init itself. */
function limitOfTasks(limit: bigint): string {
  if (limit < 0n) return 'max'
  return limit === 0n ? '1' : `${limit}`
}
