/** What steps are lowered to, as text. */
import type { Instruction } from '../../src/lower/assembler.ts'
import { type LowerOptions, lowerCreate } from '../../src/lower/lower.ts'
import type { Step } from '../../src/plan/steps.ts'

const OPTIONS: LowerOptions = { architecture: 'x64', bundle: '/bundle' }

export const ROOT: Step = {
  kind: 'bind-rootfs',
  phase: 'rootfs',
  origin: '/root',
  path: '/bundle/rootfs',
  privateParent: false,
}

/** The instructions of the last of these steps; what every program begins and ends with left out. */
export function lowerLast(...steps: readonly Step[]): Instruction[] {
  const last = steps.at(-1)
  const { listing } = lowerCreate({ warnings: [], steps }, OPTIONS).program
  return listing.filter(
    ({ step, text, op }) =>
      step === last && text !== 'umask = umask(0)' && text !== 'exit_group(0)' && op !== 'fail',
  )
}

export function textsOf(...steps: readonly Step[]): string[] {
  return lowerLast(...steps).map(({ text }) => text)
}
