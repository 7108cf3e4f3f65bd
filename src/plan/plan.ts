import { CREATE_PHASES, PHASES, type Phase } from './phases.ts'
import type { Step } from './steps.ts'

/** What will be done, in order. */
export interface Plan {
  /** What the user should know although the container can run. */
  readonly warnings: readonly string[]
  readonly steps: readonly Step[]
}

/**
 * Sorts steps by phase, keeping the order in which the fields emitted them within a phase. Steps of
 * other phases than the command's are left out.
 */
export function arrangePlan(
  steps: readonly Step[],
  warnings: readonly string[] = [],
  phases: ReadonlySet<Phase> = CREATE_PHASES,
): Plan {
  const rank = new Map(PHASES.map((phase, index) => [phase, index]))
  const wanted = steps.filter(({ phase }) => phases.has(phase))
  const sorted = wanted.toSorted((a, b) => (rank.get(a.phase) ?? 0) - (rank.get(b.phase) ?? 0))
  return Object.freeze({ steps: Object.freeze(sorted), warnings })
}
