import type { HugepageLimit } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
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
    return {
      settings: limits.flatMap((limit, index) => settingsOf(limit, `${index}`, file)),
      issues: limits.flatMap((limit, index) => checkPageSize(limit, `${at}/${index}/pageSize`)),
    }
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

/** It becomes part of a file's name. */
function checkPageSize({ pageSize }: HugepageLimit, pointer: Pointer): Issue[] {
  if (/^[1-9][0-9]*[KMG]B$/.test(pageSize)) return []
  return [{ pointer, expected: 'a page size such as 2MB or 1GB', found: JSON.stringify(pageSize) }]
}
