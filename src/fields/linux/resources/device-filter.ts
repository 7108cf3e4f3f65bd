/**
 * Compiles a device policy to eBPF: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, which the
 * kernel runs at every open and mknod of a device. It returns 1 to allow, 0 for EPERM.
 */
import { ANY, type DevicePolicy, FULL_ACCESS } from './device-rules.ts'

/** struct bpf_insn. */
export interface BpfInstruction {
  readonly code: number
  readonly target: number
  readonly source: number
  /** Of a jump: instructions to skip. Of a load: bytes from the source. */
  readonly offset: number
  readonly immediate: number
}

/** Class, size or operation, and mode or operand of linux/bpf.h, combined. */
export const CODE = {
  /** r ← *(u32 *)(r + offset) */
  load: 0x61,
  move: 0xbf,
  moveImmediate: 0xb7,
  andImmediate: 0x57,
  shiftRightImmediate: 0x77,
  jump: 0x05,
  /** Compares the low 32 bits: device numbers are unsigned, immediates sign-extended to 64. */
  jumpIfNotEqual: 0x56,
  jumpIfAnyBit: 0x46,
  exit: 0x95,
} as const

export const REGISTER = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5 } as const

const DEVICE_TYPE = { b: 1, c: 2 } as const

/** An instruction whose jump goes to a place that is not there yet. */
type Unplaced = Omit<BpfInstruction, 'offset'> & { offset?: number; to?: 'verdict' | 'next' }

export function compileDeviceFilter(policy: DevicePolicy): readonly BpfInstruction[] {
  const program: BpfInstruction[] = loadContext()
  const blocks = policy.exceptions.map((exception) => compileException(exception, policy))
  // Both verdicts stand at the end: default first, so that the last rule falls through to it.
  const verdict = program.length + blocks.reduce((sum, block) => sum + block.length, 0) + 2
  for (const block of blocks) {
    const next = program.length + block.length
    for (const { to, ...instruction } of block) {
      const place = to === 'verdict' ? verdict : next
      const offset = to === undefined ? (instruction.offset ?? 0) : place - program.length - 1
      program.push({ ...instruction, offset })
    }
  }
  const byDefault = policy.allowByDefault ? 1 : 0
  return [...program, ...leaveWith(byDefault), ...leaveWith(1 - byDefault)]
}

/** struct bpf_cgroup_dev_ctx {u32 access << 16 | type; u32 major; u32 minor} is at r1. */
function loadContext(): BpfInstruction[] {
  const { context, type, access, major, minor } = REGISTER
  const load = (target: number, offset: number) => {
    return { code: CODE.load, target, source: context, offset, immediate: 0 }
  }
  const none = { source: 0, offset: 0 }
  return [
    load(type, 0),
    { code: CODE.move, target: access, source: type, offset: 0, immediate: 0 },
    { code: CODE.andImmediate, target: type, immediate: 0xffff, ...none },
    { code: CODE.shiftRightImmediate, target: access, immediate: 16, ...none },
    load(major, 4),
    load(minor, 8),
  ]
}

/**
 * As the v1 controller judges: an exception that allows must cover all of the access, one that
 * denies bites when it meets any of it.
 */
function compileException(
  exception: DevicePolicy['exceptions'][number],
  policy: DevicePolicy,
): Unplaced[] {
  const differs = (register: number, immediate: number): Unplaced => {
    return { code: CODE.jumpIfNotEqual, target: register, source: 0, immediate, to: 'next' }
  }
  const { type, major, minor, access } = exception
  const block = [differs(REGISTER.type, DEVICE_TYPE[type])]
  if (major !== ANY) block.push(differs(REGISTER.major, major | 0))
  if (minor !== ANY) block.push(differs(REGISTER.minor, minor | 0))
  const outside = ~access & FULL_ACCESS
  const mask = { target: REGISTER.access, source: 0 }
  if (policy.allowByDefault) {
    block.push({ code: CODE.jumpIfAnyBit, ...mask, immediate: access, to: 'verdict' })
    return block
  }
  if (outside !== 0) {
    block.push({ code: CODE.jumpIfAnyBit, ...mask, immediate: outside, to: 'next' })
  }
  block.push({ code: CODE.jump, target: 0, source: 0, immediate: 0, to: 'verdict' })
  return block
}

function leaveWith(immediate: number): BpfInstruction[] {
  const none = { source: 0, offset: 0 }
  return [
    { code: CODE.moveImmediate, target: REGISTER.result, immediate, ...none },
    { code: CODE.exit, target: 0, immediate: 0, ...none },
  ]
}

export function encodeInstructions(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  program.forEach(({ code, target, source, offset, immediate }, index) => {
    view.setUint8(index * 8, code)
    view.setUint8(index * 8 + 1, (source << 4) | target)
    view.setInt16(index * 8 + 2, offset, true)
    view.setInt32(index * 8 + 4, immediate, true)
  })
  return bytes
}

/** One line an instruction, in the manner of the kernel's own listings. */
export function listInstructions(program: readonly BpfInstruction[]): string[] {
  return program.map((instruction, index) => `${index}: ${describe(instruction, index)}`)
}

function describe(instruction: BpfInstruction, index: number): string {
  const { code, target, source, offset, immediate } = instruction
  const unsigned = immediate >>> 0
  const goto = `goto ${index + 1 + offset}`
  switch (code) {
    case CODE.load:
      return `r${target} = *(u32 *)(r${source} + ${offset})`
    case CODE.move:
      return `r${target} = r${source}`
    case CODE.moveImmediate:
      return `r${target} = ${immediate}`
    case CODE.andImmediate:
      return `r${target} &= 0x${unsigned.toString(16)}`
    case CODE.shiftRightImmediate:
      return `r${target} >>= ${immediate}`
    case CODE.jump:
      return goto
    case CODE.jumpIfNotEqual:
      return `if w${target} != ${unsigned} ${goto}`
    case CODE.jumpIfAnyBit:
      return `if w${target} & 0x${unsigned.toString(16)} ${goto}`
    default:
      return 'exit'
  }
}
