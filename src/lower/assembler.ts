/**
 * Builds programs: symbolic instructions, data with relocations, labels and slots. What it gives
 * out is both the bytes for the executor and the listing that `plan --syscalls` and error
 * messages print.
 */
import type { Step } from '../plan/steps.ts'
import { ERRNO, type ErrnoName } from '../sys/errno.ts'
import {
  ANY_ERRNO,
  CONDITION,
  CONTROL_SLOT,
  type ConditionName,
  FD,
  HEADER,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  LANES,
  MAGIC,
  NONE,
  OPCODE,
  OPERAND,
  OPERAND_COUNT,
  type OpcodeName,
  RELOCATION_SIZE,
  RETRY,
  RULE_COUNT,
  VERSION,
} from './instruction-set.ts'
import { type Architecture, SYSCALL, type SyscallName } from './syscall-numbers.ts'

/** `show` is what a listing prints for the operand, e.g. `"dev/shm"` or `MS_BIND|MS_REC`. */
export interface Operand {
  readonly kind: keyof typeof OPERAND
  readonly value: bigint
  readonly show: string
}
export interface Slot {
  readonly index: number
  readonly name: string
}
export interface DataRef {
  readonly offset: number
  readonly size: number
}
export interface Label {
  readonly name: string
}
/** errno name (`'*'`: any) → where to go on. */
export type Rules = Partial<Record<ErrnoName | '*', Label | 'retry'>>

export interface CallOptions {
  readonly into?: Slot
  readonly on?: Rules
  /** Where a success goes on; absent: the next instruction. */
  readonly then?: Label
}

export interface MeetOptions {
  readonly values?: readonly Operand[]
  readonly fds?: readonly Operand[]
  /** Where the answer's bytes go, and the slot that gets their count. */
  readonly window?: DataRef
  readonly into?: Slot
  readonly fdsInto?: readonly Slot[]
  readonly branch?: Label
}

/** One instruction as the compiler sees it. */
export interface Instruction {
  readonly op: OpcodeName
  readonly step: Step
  readonly text: string
  readonly syscall?: SyscallName
  /** Explains a failure beyond its errno, e.g. for `fail` instructions. */
  readonly reason?: string
}

export interface Program {
  readonly bytes: Uint8Array
  readonly listing: readonly Instruction[]
  /** Names of the fds that the engine must pass, in order, from FD.given on. */
  readonly given: readonly string[]
}

type Encoded = {
  op: number
  slot: number
  number: number
  target: Label | undefined
  a: number
  b: number
  c: number
  d: number
  operands: readonly Operand[]
  rules: readonly { errno: number; target: Label | 'retry' }[]
}

const NO_OPERAND: Operand = { kind: 'none', value: 0n, show: '' }

export type Assembler = ReturnType<typeof createAssembler>

/** Starts a program for a machine architecture. */
export function createAssembler(architecture: Architecture) {
  const encoded: Encoded[] = []
  const listing: Instruction[] = []
  const placed = new Map<Label, number>()
  const relocations: { at: number; to: number }[] = []
  const strings = new Map<string, DataRef>()
  const given: string[] = []
  const slotNames = ['control']
  let data = new Uint8Array(4096)
  let dataSize = 0
  let lanes = 1
  let currentStep: Step | undefined

  function emit(
    op: OpcodeName,
    text: string,
    fields: Partial<Encoded>,
    extra: Pick<Instruction, 'syscall' | 'reason'> = {},
  ): void {
    if (currentStep === undefined) throw new Error('assembler: instruction outside of a step')
    encoded.push({
      op: OPCODE[op],
      slot: NONE,
      number: 0,
      target: undefined,
      a: 0,
      b: 0,
      c: 0,
      d: 0,
      operands: [],
      rules: [],
      ...fields,
    })
    listing.push({ op, step: currentStep, text, ...extra })
  }

  function reserve(size: number, alignment: number): DataRef {
    const offset = Math.ceil(dataSize / alignment) * alignment
    dataSize = offset + size
    if (dataSize > data.length) {
      const larger = new Uint8Array(Math.max(data.length * 2, dataSize))
      larger.set(data)
      data = larger
    }
    return { offset, size }
  }

  const assembler = {
    architecture,

    /** All instructions from here on are caused by this step. */
    begin(step: Step): void {
      currentStep = step
    },

    /** A slot: a 64-bit variable of the running program. */
    slot(name: string): Slot {
      slotNames.push(name)
      return { index: slotNames.length - 1, name }
    },

    /** The slot that the control socket stands in. */
    control: { index: CONTROL_SLOT, name: 'control' } as Slot,

    /** An fd that the engine passes to the executor under this name, as an operand. */
    given(name: string): Operand {
      let index = given.indexOf(name)
      if (index < 0) index = given.push(name) - 1
      return { kind: 'immediate', value: BigInt(FD.given + index), show: name }
    },

    /** Bytes in the data; zeroed room if only a size is given. */
    bytes(content: Uint8Array | number, alignment = 8): DataRef {
      const ref = reserve(typeof content === 'number' ? content : content.length, alignment)
      if (typeof content !== 'number') data.set(content, ref.offset)
      return ref
    },

    /** A NUL-terminated string; equal strings share their place. Refuses an embedded NUL. */
    string(text: string): DataRef {
      const known = strings.get(text)
      if (known !== undefined) return known
      if (text.includes('\0')) throw new Error(`NUL byte in ${JSON.stringify(text)}`)
      const content = Buffer.from(`${text}\0`)
      const ref = reserve(content.length, 1)
      data.set(content, ref.offset)
      strings.set(text, ref)
      return ref
    },

    /** At run time the u64 at `ref.offset + at` holds the address of `to`. */
    relocate(ref: DataRef, at: number, to: DataRef): void {
      relocations.push({ at: ref.offset + at, to: to.offset })
    },

    /** A NULL-terminated array of pointers (argv, envp); `undefined` items stay NULL. */
    pointers(items: readonly DataRef[]): DataRef {
      const ref = reserve((items.length + 1) * 8, 8)
      items.forEach((item, index) => {
        relocations.push({ at: ref.offset + index * 8, to: item.offset })
      })
      return ref
    },

    label(name: string): Label {
      return { name }
    },

    /** The label stands before the next instruction. */
    place(label: Label): void {
      if (placed.has(label)) throw new Error(`assembler: label ${label.name} placed twice`)
      placed.set(label, encoded.length)
    },

    call(name: SyscallName, operands: readonly Operand[], options: CallOptions = {}): void {
      const into = options.into === undefined ? '' : `${options.into.name} = `
      emit(
        'call',
        `${into}${name}(${operands.map((operand) => operand.show).join(', ')})`,
        {
          slot: options.into?.index ?? NONE,
          number: SYSCALL[architecture][name],
          target: options.then,
          operands,
          rules: encodeRules(options.on),
        },
        { syscall: name },
      )
    },

    test(
      value: Operand,
      mask: bigint,
      condition: ConditionName,
      constant: Operand | bigint,
      target: Label,
    ): void {
      const right = typeof constant === 'bigint' ? immediate(constant) : constant
      const shown = mask === ALL_BITS ? value.show : `(${value.show} & 0x${mask.toString(16)})`
      emit('test', `if ${shown} ${SIGN[condition]} ${right.show} goto ${target.name}`, {
        number: CONDITION[condition],
        target,
        operands: [value, immediate(mask), right],
      })
    },

    /** Always goes on at the label. */
    jump(target: Label): void {
      emit('test', `goto ${target.name}`, {
        number: CONDITION.eq,
        target,
        operands: [immediate(0n), immediate(0n), immediate(0n)],
      })
    },

    set(slot: Slot, value: Operand): void {
      emit('set', `${slot.name} = ${value.show}`, { slot: slot.index, operands: [value] })
    },

    /** Writes an operand into the data, e.g. an fd into a struct. */
    store(ref: DataRef, at: number, width: 4 | 8, value: Operand): void {
      emit('set', `data[${ref.offset + at}] = ${value.show}`, {
        number: width,
        a: ref.offset + at,
        operands: [value],
      })
    },

    /** clone3; the child goes on at `child` in a new lane. Returns that lane. */
    clone(args: DataRef, show: string, child: Label, options: CallOptions = {}): number {
      const lane = lanes++
      if (lane >= LANES) throw new Error('assembler: too many processes in one program')
      emit(
        'clone',
        `${options.into === undefined ? '' : `${options.into.name} = `}clone3(${show})`,
        {
          slot: options.into?.index ?? NONE,
          number: lane,
          target: child,
          operands: [address(args, show), immediate(BigInt(args.size))],
          rules: encodeRules(options.on),
        },
        { syscall: 'clone3' },
      )
      return lane
    },

    meet(number: number, text: string, options: MeetOptions = {}): void {
      const fds = options.fdsInto ?? []
      emit('meet', `meet ${number}: ${text}`, {
        number,
        slot: options.into?.index ?? NONE,
        target: options.branch,
        a: options.window?.offset ?? 0,
        b: options.window?.size ?? 0,
        c: fds[0]?.index ?? 0,
        d: fds.length,
        operands: meetOperands(options),
      })
    },

    post(number: number, text: string, options: Pick<MeetOptions, 'values' | 'fds'> = {}): void {
      emit('post', `post ${number}: ${text}`, { number, operands: meetOperands(options) })
    },

    wait(listening: Operand): void {
      emit('wait', `wait(${listening.show})`, { slot: CONTROL_SLOT, operands: [listening] })
    },

    mkpath(
      root: Operand,
      path: string,
      kind: 'directory' | 'file',
      options: CallOptions & { readonly mode?: number; readonly resolve?: Operand } = {},
    ): void {
      const into = options.into === undefined ? '' : `${options.into.name} = `
      const mode = options.mode ?? (kind === 'directory' ? 0o755 : 0o644)
      emit('mkpath', `${into}mkpath(${root.show}, ${JSON.stringify(path)}, ${kind})`, {
        slot: options.into?.index ?? NONE,
        target: options.then,
        operands: [
          root,
          address(assembler.string(path), JSON.stringify(path)),
          immediate(kind === 'directory' ? 0n : 1n),
          immediate(BigInt(mode)),
          options.resolve ?? immediate(0n),
        ],
        rules: encodeRules(options.on),
      })
    },

    /** Ends the process; `reason` says to a user what happened. */
    fail(code: number, reason: string, errno: Operand = immediate(0n)): void {
      emit('fail', `fail: ${reason}`, { number: code, operands: [errno] }, { reason })
    },

    finish(): Program {
      return { bytes: encode(), listing: Object.freeze([...listing]), given: [...given] }
    },
  }

  function encode(): Uint8Array {
    const instructionsOffset = HEADER_SIZE
    const relocationsOffset = instructionsOffset + encoded.length * INSTRUCTION_SIZE
    const dataOffset =
      Math.ceil((relocationsOffset + relocations.length * RELOCATION_SIZE) / 16) * 16
    const bytes = new Uint8Array(dataOffset + dataSize)
    const view = new DataView(bytes.buffer)
    const header: Record<keyof typeof HEADER, number> = {
      magic: MAGIC,
      version: VERSION,
      instructionCount: encoded.length,
      instructionsOffset,
      relocationCount: relocations.length,
      relocationsOffset,
      dataSize,
      dataOffset,
      slotCount: slotNames.length,
    }
    for (const [name, offset] of Object.entries(HEADER)) {
      view.setUint32(offset, header[name as keyof typeof HEADER], true)
    }
    encoded.forEach((instruction, index) => {
      encodeInstruction(view, instructionsOffset + index * INSTRUCTION_SIZE, instruction, index)
    })
    relocations.forEach(({ at, to }, index) => {
      view.setUint32(relocationsOffset + index * RELOCATION_SIZE, at, true)
      view.setUint32(relocationsOffset + index * RELOCATION_SIZE + 4, to, true)
    })
    bytes.set(data.subarray(0, dataSize), dataOffset)
    return bytes
  }

  function encodeInstruction(
    view: DataView,
    at: number,
    instruction: Encoded,
    index: number,
  ): void {
    for (const name of ['op', 'slot', 'number', 'a', 'b', 'c', 'd'] as const) {
      view.setUint32(at + INSTRUCTION[name], instruction[name], true)
    }
    view.setUint32(at + INSTRUCTION.target, resolveTarget(instruction.target, index), true)
    for (let i = 0; i < OPERAND_COUNT; i++) {
      const operand = instruction.operands[i] ?? NO_OPERAND
      view.setUint32(at + INSTRUCTION.operands + i * 16, OPERAND[operand.kind], true)
      view.setBigUint64(
        at + INSTRUCTION.operands + i * 16 + 8,
        BigInt.asUintN(64, operand.value),
        true,
      )
    }
    instruction.rules.forEach((rule, i) => {
      view.setInt32(at + INSTRUCTION.rules + i * 8, rule.errno, true)
      const target = rule.target === 'retry' ? RETRY : resolveTarget(rule.target, index)
      view.setUint32(at + INSTRUCTION.rules + i * 8 + 4, target, true)
    })
  }

  function resolveTarget(label: Label | undefined, from: number): number {
    if (label === undefined) return NONE
    const index = placed.get(label)
    if (index === undefined) throw new Error(`assembler: label ${label.name} is not placed`)
    if (index <= from) throw new Error(`assembler: jump back to ${label.name}`)
    return index
  }

  return assembler
}

const ALL_BITS = 0xffff_ffff_ffff_ffffn
const SIGN: Record<ConditionName, string> = { eq: '==', ne: '!=', lt: '<', ge: '>=' }

function encodeRules(on: Rules | undefined): Encoded['rules'] {
  const rules = Object.entries(on ?? {}).map(([name, target]) => ({
    errno: name === '*' ? ANY_ERRNO : ERRNO[name as ErrnoName],
    target,
  }))
  if (rules.length > RULE_COUNT) throw new Error('assembler: more rules than an instruction holds')
  return rules
}

function meetOperands(options: Pick<MeetOptions, 'values' | 'fds'>): Operand[] {
  const values = options.values ?? []
  const fds = options.fds ?? []
  if (values.length > 3 || fds.length > 3)
    throw new Error('assembler: a meet holds 3 values and 3 fds')
  return [0, 1, 2]
    .map((i) => values[i] ?? NO_OPERAND)
    .concat([0, 1, 2].map((i) => fds[i] ?? NO_OPERAND))
}

/** A constant; `show` is its symbolic form. */
export function immediate(value: bigint | number, show?: string): Operand {
  return { kind: 'immediate', value: BigInt(value), show: show ?? value.toString() }
}

/** The address of data. */
export function address(ref: DataRef, show: string): Operand {
  return { kind: 'address', value: BigInt(ref.offset), show }
}

/** What a slot holds. */
export function slotValue(slot: Slot): Operand {
  return { kind: 'slot', value: BigInt(slot.index), show: slot.name }
}

/** The 32 or 64 bits that stand in the data at run time, e.g. a member of a struct stat. */
export function load(ref: DataRef, at: number, width: 4 | 8, show: string): Operand {
  return { kind: width === 4 ? 'load32' : 'load64', value: BigInt(ref.offset + at), show }
}

/** All 64 bits, as the mask of a test. */
export { ALL_BITS }
