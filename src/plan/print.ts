import { describeStep } from './describe-step.ts'
import { PHASES } from './phases.ts'
import type { Plan } from './plan.ts'

const PHASE_WIDTH = Math.max(...PHASES.map((phase) => phase.length))
/** Fixed, so that two plans can be compared line by line. */
const ORIGIN_WIDTH = 28

/** A plan as text: a line for each step, with its phase and the config field that asked for it. */
export function printPlan({ steps, warnings }: Plan): string {
  const lines = steps.map((step) => {
    const origin = step.origin === '' ? '-' : step.origin
    return `${step.phase.padEnd(PHASE_WIDTH)}  ${origin.padEnd(ORIGIN_WIDTH)}  ${describeStep(step)}`
  })
  return [...warnings.map((warning) => `warning: ${warning}`), ...lines].map(oneLine).join('')
}

/** Names come from the config: none may break a line or speak to the terminal. */
function oneLine(text: string): string {
  return `${text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))}\n`
}
