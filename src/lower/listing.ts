/** A program's instructions as far as messages need them; plain data, kept in state.json too. */
import type { Program } from './assembler.ts'

export interface ListedInstruction {
  /** JSON pointer of the config field that caused it. */
  readonly origin: string
  readonly op: string
  readonly text: string
  readonly syscall?: string
  /** What a `fail` instruction, or a failure here, means to a user. */
  readonly reason?: string
}

/** Every instruction, in order. */
export function listInstructions(program: Program): readonly ListedInstruction[] {
  return program.listing.map(({ op, text, syscall, reason, step }) => ({
    origin: step.origin,
    op,
    text,
    ...(syscall !== undefined && { syscall }),
    ...(reason !== undefined && { reason }),
  }))
}
