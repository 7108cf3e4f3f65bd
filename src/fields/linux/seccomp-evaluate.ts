/**
 * Runs a compiled seccomp filter, classic BPF, for one system call: what would the kernel say?
 * All instructions that the kernel admits in such filters are here, and nothing else.
 */

/** The verdicts of linux/seccomp.h, without their low 16 bits of data. */
export const VERDICT = {
  killProcess: 0x8000_0000,
  killThread: 0x0000_0000,
  trap: 0x0003_0000,
  errno: 0x0005_0000,
  notify: 0x7fc0_0000,
  trace: 0x7ff0_0000,
  log: 0x7ffc_0000,
  allow: 0x7fff_0000,
} as const

/** AUDIT_ARCH_* of linux/audit.h. */
export const AUDIT_ARCHITECTURE = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const

export interface SystemCall {
  readonly number: number
  /** One of AUDIT_ARCHITECTURE. */
  readonly architecture: number
  readonly args?: readonly bigint[]
}

const INSTRUCTION_SIZE = 8
/** sizeof(struct seccomp_data) */
const DATA_SIZE = 64

/** The filter's verdict with its data, e.g. VERDICT.errno | 1. */
export function evaluateFilter(filter: Uint8Array, call: SystemCall): number {
  const program = new DataView(filter.buffer, filter.byteOffset, filter.byteLength)
  const data = describeCall(call)
  const machine: Machine = { a: 0, x: 0, memory: new Uint32Array(16) }
  let at = 0
  // Jumps go forward only, so this ends.
  while (at >= 0 && (at + 1) * INSTRUCTION_SIZE <= filter.byteLength) {
    const offset = at * INSTRUCTION_SIZE
    const code = program.getUint16(offset, true)
    const k = program.getUint32(offset + 4, true)
    const operand = code & 0x08 ? machine.x : k
    switch (code & 0x07) {
      case CLASS.return:
        return code & 0x10 ? machine.a : k
      case CLASS.jump:
        if (compare(code, machine.a, operand)) at += jumpOnTrue(code, program, offset, k)
        else at += program.getUint8(offset + 3)
        break
      case CLASS.arithmetic:
        machine.a = calculate(code, machine.a, operand)
        break
      default:
        move(code, k, machine, data)
    }
    at += 1
  }
  throw new RangeError(`a seccomp filter of ${filter.byteLength} bytes ends without a verdict`)
}

interface Machine {
  a: number
  x: number
  readonly memory: Uint32Array
}

/** The low three bits of a code. */
const CLASS = { arithmetic: 4, jump: 5, return: 6 } as const

/** Bits 4 to 7 of a jump. */
const JUMP = { always: 0x00, equal: 0x10, greater: 0x20, greaterOrEqual: 0x30, bits: 0x40 } as const

/** struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6]} */
function describeCall({ number, architecture, args = [] }: SystemCall): DataView {
  const data = new DataView(new ArrayBuffer(DATA_SIZE))
  data.setInt32(0, number, true)
  data.setUint32(4, architecture, true)
  args.forEach((value, index) => {
    data.setBigUint64(16 + index * 8, value, true)
  })
  return data
}

function compare(code: number, a: number, operand: number): boolean {
  switch (code & 0xf0) {
    case JUMP.always:
      return true
    case JUMP.equal:
      return a === operand
    case JUMP.greater:
      return a > operand
    case JUMP.greaterOrEqual:
      return a >= operand
    case JUMP.bits:
      return (a & operand) !== 0
    default:
      throw unknownInstruction(code)
  }
}

/** Only the unconditional jump has more than eight bits for its way. */
function jumpOnTrue(code: number, program: DataView, offset: number, k: number): number {
  return (code & 0xf0) === JUMP.always ? k : program.getUint8(offset + 2)
}

function calculate(code: number, a: number, operand: number): number {
  switch (code & 0xf0) {
    case 0x00:
      return (a + operand) >>> 0
    case 0x10:
      return (a - operand) >>> 0
    case 0x20:
      return Math.imul(a, operand) >>> 0
    case 0x30:
      return operand === 0 ? 0 : Math.floor(a / operand)
    case 0x40:
      return (a | operand) >>> 0
    case 0x50:
      return (a & operand) >>> 0
    case 0x60:
      return (a << operand) >>> 0
    case 0x70:
      return a >>> operand
    case 0x80:
      return -a >>> 0
    case 0xa0:
      return (a ^ operand) >>> 0
    default:
      throw unknownInstruction(code)
  }
}

/** Loads, stores and transfers; the whole code, since the kernel admits just these. */
function move(code: number, k: number, machine: Machine, data: DataView): void {
  switch (code) {
    case 0x00: // LD | IMM
      machine.a = k
      break
    case 0x01: // LDX | IMM
      machine.x = k
      break
    case 0x20: // LD | W | ABS
      machine.a = data.getUint32(k, true)
      break
    case 0x60: // LD | MEM
      machine.a = machine.memory[k] ?? 0
      break
    case 0x61: // LDX | MEM
      machine.x = machine.memory[k] ?? 0
      break
    case 0x80: // LD | W | LEN
      machine.a = DATA_SIZE
      break
    case 0x81: // LDX | W | LEN
      machine.x = DATA_SIZE
      break
    case 0x02: // ST
      machine.memory[k] = machine.a
      break
    case 0x03: // STX
      machine.memory[k] = machine.x
      break
    case 0x07: // MISC | TAX
      machine.x = machine.a
      break
    case 0x87: // MISC | TXA
      machine.a = machine.x
      break
    default:
      throw unknownInstruction(code)
  }
}

function unknownInstruction(code: number): RangeError {
  return new RangeError(`a seccomp filter holds the unknown instruction 0x${code.toString(16)}`)
}
