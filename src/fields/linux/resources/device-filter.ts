/**
 * Compiles a device policy to eBPF: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, which the
 * kernel runs at every open and mknod of a device. It returns 1 to allow, 0 for EPERM.
 */
import { ANY, type DeviceException, type DevicePolicy, FULL_ACCESS } from './device-rules.ts'

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
type Unplaced = Omit<BpfInstruction, 'offset'> & { readonly to: Place | number }
type Place = 'next' | 'nextGroup' | 'default' | 'verdict'

/**
 * The verifier walks every path and remembers what each has compared. So that the time it takes
 * grows with the rules and not with their square, no path that knows a device number goes on to
 * compare it again: the access is tested first, and after a group of its own major number a
 * device has nothing more to look for (exceptions for any major stand before all others).
 */
export function compileDeviceFilter(policy: DevicePolicy): readonly BpfInstruction[] {
  const program: BpfInstruction[] = loadContext()
  const groups = groupExceptions(policy.exceptions).map((group) => compileGroup(group, policy))
  const end = program.length + groups.flat(2).length
  for (const group of groups) {
    const nextGroup = program.length + group.flat().length
    for (const block of group) {
      const next = program.length + block.length
      const places = { next, nextGroup, default: end, verdict: end + 2 }
      for (const { to, ...instruction } of block) {
        const offset = typeof to === 'number' ? to : places[to] - program.length - 1
        program.push({ ...instruction, offset })
      }
    }
  }
  const byDefault = policy.allowByDefault ? 1 : 0
  return [...program, ...leaveWith(byDefault), ...leaveWith(1 - byDefault)]
}

/** Those of one type and major number, which are then compared once; for any major first. */
function groupExceptions(exceptions: readonly DeviceException[]): readonly DeviceException[][] {
  const groups = new Map<string, DeviceException[]>()
  for (const exception of exceptions) {
    const key = `${exception.type} ${exception.major}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [exception])
    else group.push(exception)
  }
  const isForAny = ([first]: DeviceException[]) => first?.major === ANY
  return [...groups.values()].sort((a, b) => Number(isForAny(b)) - Number(isForAny(a)))
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

function compileGroup(group: readonly DeviceException[], policy: DevicePolicy): Unplaced[][] {
  const [first] = group
  if (first === undefined) return []
  const head = [differs(REGISTER.type, DEVICE_TYPE[first.type], 'nextGroup')]
  if (first.major !== ANY) head.push(differs(REGISTER.major, first.major, 'nextGroup'))
  const blocks = [head]
  for (const exception of group) {
    const block = compileException(exception, policy)
    blocks.push(block)
    // It takes all: the verifier refuses instructions that nothing reaches.
    if (!block.some(({ to }) => to === 'next')) return blocks
  }
  return first.major === ANY ? blocks : [...blocks, [goTo('default')]]
}

/**
 * As the v1 controller judges: an exception that allows must cover all of the access, one that
 * denies bites when it meets any of it.
 */
function compileException({ minor, access }: DeviceException, policy: DevicePolicy): Unplaced[] {
  const block: Unplaced[] = []
  const test = { code: CODE.jumpIfAnyBit, target: REGISTER.access, source: 0 }
  if (access !== FULL_ACCESS) {
    if (policy.allowByDefault) block.push({ ...test, immediate: access, to: 1 }, goTo('next'))
    else block.push({ ...test, immediate: ~access & FULL_ACCESS, to: 'next' })
  }
  if (minor !== ANY) block.push(differs(REGISTER.minor, minor, 'next'))
  return [...block, goTo('verdict')]
}

function goTo(to: Place): Unplaced {
  return { code: CODE.jump, target: 0, source: 0, immediate: 0, to }
}

function differs(target: number, value: number, to: Place): Unplaced {
  return { code: CODE.jumpIfNotEqual, target, source: 0, immediate: value | 0, to }
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
