import type { Program } from '../../src/lower/assembler.ts'
import {
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  NONE,
  OPCODE,
  OPERAND,
} from '../../src/lower/instruction-set.ts'

const EIO = 5

/** The same program, but one instruction leaves with EIO. */
export function failAt(program: Program, index: number): Program {
  const bytes = Uint8Array.from(program.bytes)
  const at = HEADER_SIZE + index * INSTRUCTION_SIZE
  bytes.fill(0, at, at + INSTRUCTION_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint32(at + INSTRUCTION.op, OPCODE.fail, true)
  view.setUint32(at + INSTRUCTION.slot, NONE, true)
  view.setUint32(at + INSTRUCTION.target, NONE, true)
  view.setUint32(at + INSTRUCTION.operands, OPERAND.immediate, true)
  view.setBigUint64(at + INSTRUCTION.operands + 8, BigInt(EIO), true)
  return { ...program, bytes }
}
