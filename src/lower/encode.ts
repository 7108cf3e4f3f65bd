/** The bytes of a program as the executor maps them: instruction-set.ts has the layout. */
import type { Relocation } from './data-section.ts'
import {
  HEADER,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  MAGIC,
  NONE,
  OPERAND,
  OPERAND_COUNT,
  RELOCATION_SIZE,
  RETRY,
  VERSION,
} from './instruction-set.ts'
import { type Label, NO_OPERAND, type Operand } from './operands.ts'

/** An instruction whose labels are still symbols. */
export interface Unresolved {
  readonly op: number
  readonly slot: number
  readonly number: number
  readonly target: Label | undefined
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly operands: readonly Operand[]
  readonly rules: readonly { readonly errno: number; readonly target: Label | 'retry' }[]
}

export interface ProgramParts {
  readonly instructions: readonly Unresolved[]
  /** The index of the instruction that a label stands before. */
  readonly placed: ReadonlyMap<Label, number>
  readonly content: Uint8Array
  readonly relocations: readonly Relocation[]
  readonly slotCount: number
}

export function encodeProgram(parts: ProgramParts): Uint8Array {
  const { instructions, relocations, content } = parts
  const instructionsOffset = HEADER_SIZE
  const relocationsOffset = instructionsOffset + instructions.length * INSTRUCTION_SIZE
  const end = relocationsOffset + relocations.length * RELOCATION_SIZE
  const dataOffset = Math.ceil(end / 16) * 16
  const bytes = new Uint8Array(dataOffset + content.length)
  const view = new DataView(bytes.buffer)
  encodeHeader(view, {
    magic: MAGIC,
    version: VERSION,
    instructionCount: instructions.length,
    instructionsOffset,
    relocationCount: relocations.length,
    relocationsOffset,
    dataSize: content.length,
    dataOffset,
    slotCount: parts.slotCount,
  })
  instructions.forEach((instruction, index) => {
    const at = instructionsOffset + index * INSTRUCTION_SIZE
    encodeInstruction(view, at, instruction, (label) => resolveLabel(parts.placed, label, index))
  })
  relocations.forEach(({ at, to }, index) => {
    view.setUint32(relocationsOffset + index * RELOCATION_SIZE, at, true)
    view.setUint32(relocationsOffset + index * RELOCATION_SIZE + 4, to, true)
  })
  bytes.set(content, dataOffset)
  return bytes
}

function encodeHeader(view: DataView, header: Record<keyof typeof HEADER, number>): void {
  for (const name of Object.keys(HEADER) as (keyof typeof HEADER)[]) {
    view.setUint32(HEADER[name], header[name], true)
  }
}

function encodeInstruction(
  view: DataView,
  at: number,
  instruction: Unresolved,
  resolve: (label: Label) => number,
): void {
  const { op, slot, number, target, a, b, c, d } = instruction
  view.setUint32(at + INSTRUCTION.op, op, true)
  view.setUint32(at + INSTRUCTION.slot, slot, true)
  view.setUint32(at + INSTRUCTION.number, number, true)
  view.setUint32(at + INSTRUCTION.a, a, true)
  view.setUint32(at + INSTRUCTION.b, b, true)
  view.setUint32(at + INSTRUCTION.c, c, true)
  view.setUint32(at + INSTRUCTION.d, d, true)
  view.setUint32(at + INSTRUCTION.target, target === undefined ? NONE : resolve(target), true)
  for (let i = 0; i < OPERAND_COUNT; i++) {
    const operand = instruction.operands[i] ?? NO_OPERAND
    const place = at + INSTRUCTION.operands + i * 16
    view.setUint32(place, OPERAND[operand.kind], true)
    view.setBigUint64(place + 8, operand.value, true)
  }
  instruction.rules.forEach((rule, i) => {
    const place = at + INSTRUCTION.rules + i * 8
    view.setInt32(place, rule.errno, true)
    view.setUint32(place + 4, rule.target === 'retry' ? RETRY : resolve(rule.target), true)
  })
}

/** Forward only: so every program ends. */
function resolveLabel(placed: ReadonlyMap<Label, number>, label: Label, from: number): number {
  const index = placed.get(label)
  if (index === undefined) throw new Error(`assembler: label ${label.name} is not placed`)
  if (index <= from) throw new Error(`assembler: jump back to ${label.name}`)
  return index
}
