/** A program as text, for `plan --syscalls`: one line an instruction, below the step it is for. */
import type { Instruction, Program } from './assembler.ts'

export function printListing(program: Program): string {
  const width = String(program.listing.length).length
  const lines = program.listing.flatMap((instruction, index) => [
    ...printStep(instruction, program.listing[index - 1]),
    ...(instruction.labels ?? []).map((label) => `${' '.repeat(width)} ${label}:`),
    `${String(index).padStart(width)}   ${printInstruction(instruction)}`,
  ])
  return `${lines.join('\n')}\n`
}

/** A heading where another step begins. */
function printStep({ step }: Instruction, before: Instruction | undefined): string[] {
  if (before?.step === step) return []
  return [`# ${step.kind}${step.origin === '' ? '' : ` (${step.origin})`}`]
}

function printInstruction({ text, branches }: Instruction): string {
  return branches === undefined ? text : `${text}  [${branches}]`
}
