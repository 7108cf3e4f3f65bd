import type { ExecCpuAffinity } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { Phase } from '../../plan/phases.ts'
import type { SetAffinity } from '../../plan/steps.ts'
import type { Contribution, Field } from '../field.ts'

/** Where `exec` runs before and after it enters the container's cgroup; nothing for `create`. */
export const execCPUAffinity: Field<ExecCpuAffinity> = { plan: planAffinity }

/** The most that a kernel can be built for (CONFIG_NR_CPUS). */
const MOST_CPUS = 8192

function planAffinity({ initial, final }: ExecCpuAffinity, at: Pointer): Contribution {
  const parts = [
    planList(initial, `${at}/initial`, 'initial-affinity'),
    planList(final, `${at}/final`, 'final-affinity'),
  ]
  return {
    steps: parts.flatMap(({ steps }) => steps),
    issues: parts.flatMap(({ issues }) => issues),
  }
}

/** config/ has checked the form. Without `final`, the kernel decides (runtime-spec, config.md). */
function planList(
  list = '',
  origin: Pointer,
  phase: Phase,
): { steps: SetAffinity[]; issues: Issue[] } {
  if (list.trim() === '') return { steps: [], issues: [] }
  const ranges = list.split(',').map((range) => range.split('-').map(Number))
  const wrong = ranges.find(([first = 0, last = first]) => last < first || last >= MOST_CPUS)
  if (wrong !== undefined) {
    const expected = `ranges that ascend, of CPUs below ${MOST_CPUS}`
    return { steps: [], issues: [{ pointer: origin, expected, found: wrong.join('-') }] }
  }
  const cpus = ranges.flatMap(([first = 0, last = first]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  )
  const step: SetAffinity = { kind: 'set-affinity', phase, origin, cpus: [...new Set(cpus)] }
  return { steps: [step], issues: [] }
}
