import type { HugepageLimit } from '../../../config/spec.ts'
import type { Pointer } from '../../../errors.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { planController, type Setting } from './controller.ts'

export const hugepageLimits: Field<readonly HugepageLimit[]> = { plan: planHugepages }

function planHugepages(
  limits: readonly HugepageLimit[],
  at: Pointer,
  planning: Planning,
): Contribution {
  return planController('hugetlb', at, planning, (version) => {
    const file = version === 1 ? 'limit_in_bytes' : 'max'
    return { settings: limits.flatMap((limit, index) => settingsOf(limit, `${index}`, file)) }
  })
}

/**
 * Both what is in use and what is reserved: a reservation alone lets a process die of SIGBUS when
 * it touches its pages. Kernels before 5.7 and some of the distributions' have no rsvd files.
 */
function settingsOf({ pageSize, limit }: HugepageLimit, field: string, file: string): Setting[] {
  const value = `${limit}`
  const hint = 'the page sizes that this kernel has are in /sys/kernel/mm/hugepages'
  return [
    { field, file: `hugetlb.${pageSize}.${file}`, value, hint },
    { field, file: `hugetlb.${pageSize}.rsvd.${file}`, value, missing: 'skip' },
  ]
}
