/** What a schema cannot say: rules between fields, run before anything is done. */
import type { Issue } from '../errors.ts'
import type { Check } from './checks/check.ts'
import { linuxChecks } from './checks/linux.ts'
import { processChecks } from './checks/process.ts'
import { resourceChecks } from './checks/resources.ts'
import { seccompChecks } from './checks/seccomp.ts'
import { commonChecks } from './checks/whole-spec.ts'
import { overlaps } from './pointer.ts'
import type { Spec } from './spec.ts'

export const checks: readonly Check[] = [
  ...commonChecks,
  ...processChecks,
  ...linuxChecks,
  ...resourceChecks,
  ...seccompChecks,
]

/** Runs the checks that look only at what the schema has not complained about. */
export function runChecks(
  spec: Spec,
  complaints: readonly Issue[],
  from: readonly Check[] = checks,
): Issue[] {
  if (complaints.some(({ pointer }) => pointer === '')) return []
  return from
    .filter(
      ({ reads }) => !complaints.some(({ pointer }) => reads.some((at) => overlaps(at, pointer))),
    )
    .flatMap(({ run }) => run(spec))
}
