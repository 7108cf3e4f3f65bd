/** Random damage to programs, the same for the same seed, and harmless when the result runs. */
import {
  HEADER,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  NONE,
  OPCODE,
} from '../../src/lower/instruction-set.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { SYSCALL } from '../../src/sys/syscall-numbers.ts'

/** mulberry32: small, and good enough to choose bytes by. */
export function createRandom(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b_79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

/** What bounds are wrong at, more often than anywhere else. */
const EDGES = [0, 1, 2, 7, 8, 63, 64, 127, 160, 4095, 4096, 4097, 0x7fff_ffff, 0x8000_0000]
const FROM_TOP = [1, 2, 3, 8, 160, 0x1000]

/** One to three words of a program are changed, or its end is cut off. */
export function mutateProgram(program: Uint8Array, random: (limit: number) => number): Uint8Array {
  const bytes = Uint8Array.from(program)
  const view = new DataView(bytes.buffer)
  for (let i = random(3); i >= 0; i--) {
    // Half of the damage is done to the header and the first instructions.
    const size = random(2) === 0 ? Math.min(bytes.length, 704) : bytes.length
    const at = random(size / 4) * 4
    view.setUint32(at, chooseWord(view.getUint32(at, true), random), true)
  }
  const mutated = random(10) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes
  return disarm(mutated)
}

function chooseWord(word: number, random: (limit: number) => number): number {
  switch (random(5)) {
    case 0:
      return EDGES[random(EDGES.length)] ?? 0
    case 1:
      return 2 ** 32 - (FROM_TOP[random(FROM_TOP.length)] ?? 1)
    case 2:
      return (word ^ (1 << random(32))) >>> 0
    case 3:
      return (word + random(9) - 4) >>> 0
    default:
      return random(2 ** 32)
  }
}

/**
 * Whatever would be a system call, as the executor would read it, is getpid, and whatever would be
 * a process is nothing.
 */
function disarm(bytes: Uint8Array): Uint8Array {
  if (bytes.length < HEADER_SIZE) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const from = view.getUint32(HEADER.instructionsOffset, true)
  const count = view.getUint32(HEADER.instructionCount, true)
  for (let i = 0; i < count; i++) {
    const at = from + i * INSTRUCTION_SIZE
    if (at + INSTRUCTION_SIZE > bytes.length) break
    const op = view.getUint32(at + INSTRUCTION.op, true)
    if (op !== OPCODE.call && op !== OPCODE.clone) continue
    if (op === OPCODE.clone) view.setUint32(at + INSTRUCTION.target, NONE, true)
    view.setUint32(at + INSTRUCTION.op, OPCODE.call, true)
    view.setUint32(at + INSTRUCTION.number, SYSCALL[hostArchitecture()].getpid, true)
  }
  return bytes
}
