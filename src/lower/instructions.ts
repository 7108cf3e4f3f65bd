/** The kinds of instructions, each with its text for listings. */
import { ERRNO, type ErrnoName } from '../sys/errno.ts'
import { SYSCALL, type SyscallName } from '../sys/syscall-numbers.ts'
import type { Emitter, Instruction } from './assembler.ts'
import type { DataSection } from './data-section.ts'
import type { Unresolved } from './encode.ts'
import {
  ANY_ERRNO,
  CONDITION,
  CONTROL_SLOT,
  type ConditionName,
  LANES,
  NONE,
  RULE_COUNT,
} from './instruction-set.ts'
import {
  ALL_BITS,
  address,
  type DataRef,
  immediate,
  type Label,
  NO_OPERAND,
  type Operand,
  type Slot,
  showSlot,
  showText,
} from './operands.ts'

/** errno name (`'*'`: any) → where to go on; the first that fits counts. */
export type Rules = Partial<Record<ErrnoName | '*', Label | 'retry'>>

export interface CallOptions {
  readonly into?: Slot
  readonly on?: Rules
  /** Where a success goes on; absent: the next instruction. */
  readonly success?: Label
  /** What a failure means to a user. */
  readonly reason?: string
}

export type CloneOptions = Omit<CallOptions, 'success'>

export interface MeetOptions {
  readonly values?: readonly Operand[]
  readonly fds?: readonly Operand[]
  /** Where the answer's bytes go, and the slot that gets their count. */
  readonly window?: DataRef
  readonly into?: Slot
  readonly fdsInto?: readonly Slot[]
  readonly branch?: Label
}

export interface PathOptions extends CallOptions {
  readonly mode?: number
  /** Further RESOLVE_* flags. */
  readonly resolve?: Operand
}

/** Whatever is a system call, or made of several. */
export function calls({ emit, architecture }: Emitter, data: DataSection) {
  return {
    call(name: SyscallName, operands: readonly Operand[], options: CallOptions = {}): void {
      emit(
        'call',
        assign(options.into, `${name}(${operands.map((operand) => operand.show).join(', ')})`),
        {
          slot: slotOf(options),
          number: SYSCALL[architecture][name],
          target: options.success,
          operands,
          rules: resolveRules(options.on),
        },
        describe(options, name),
      )
    },

    mkpath(root: Operand, path: string, kind: 'directory' | 'file', options: PathOptions = {}) {
      const shown = showText(path)
      emit(
        'mkpath',
        assign(options.into, `mkpath(${root.show}, ${shown}, ${kind})`),
        {
          slot: slotOf(options),
          target: options.success,
          rules: resolveRules(options.on),
          operands: [
            root,
            address(data.string(path), shown),
            immediate(kind === 'directory' ? 0 : 1),
            immediate(options.mode ?? (kind === 'directory' ? 0o755 : 0o644)),
            options.resolve ?? immediate(0),
          ],
        },
        describe(options),
      )
    },
  }
}

const SIGN: Record<ConditionName, string> = { eq: '==', ne: '!=', lt: '<', ge: '>=' }

/** Whatever changes where a program goes on, or what it knows. */
export function jumps({ emit }: Emitter) {
  return {
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
      const zero = immediate(0)
      const operands = [zero, zero, zero]
      emit('test', `goto ${target.name}`, { number: CONDITION.eq, target, operands })
    },

    set(slot: Slot, value: Operand): void {
      emit('set', `${slot.name} = ${value.show}`, { slot: slot.index, operands: [value] })
    },

    /** Writes an operand into the data, e.g. an fd into a struct. */
    store(ref: DataRef, at: number, width: 4 | 8, value: Operand, show?: string): void {
      emit('set', `${show ?? `data[${ref.offset + at}]`} = ${value.show}`, {
        number: width,
        a: ref.offset + at,
        operands: [value],
      })
    },

    /** Ends the process; `reason` says to a user what happened. */
    fail(code: number, reason: string, value: Operand = immediate(0)): void {
      emit('fail', `fail: ${reason}`, { number: code, operands: [value] }, { reason })
    },
  }
}

/** Whatever makes processes, or talks with the runtime. */
export function processes({ emit }: Emitter) {
  let lanes = 1
  return {
    /** clone3; the child goes on at `child` in a new lane. Returns that lane. */
    clone(args: DataRef, show: string, child: Label, options: CloneOptions = {}): number {
      const lane = lanes++
      if (lane >= LANES) throw new Error('assembler: too many processes in one program')
      emit(
        'clone',
        assign(options.into, `clone3(${show})`),
        {
          slot: slotOf(options),
          rules: resolveRules(options.on),
          number: lane,
          target: child,
          operands: [address(args, show), immediate(args.size)],
        },
        { ...describe(options, 'clone3'), branches: `child: ${child.name}` },
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
  }
}

/** What the result stands for is only said where the call does not say it. */
function assign(into: Slot | undefined, call: string): string {
  if (into === undefined) return call
  const isSaid = into.of === undefined || call.includes(showText(into.of))
  return `${isSaid ? into.name : showSlot(into)} = ${call}`
}

function slotOf({ into }: CallOptions): number {
  return into === undefined ? NONE : into.index
}

const NO_RULES: Unresolved['rules'] = []

function resolveRules(on: Rules | undefined): Unresolved['rules'] {
  if (on === undefined) return NO_RULES
  const rules = Object.entries(on).map(([name, target]) => ({
    errno: name === '*' ? ANY_ERRNO : ERRNO[name as ErrnoName],
    target,
  }))
  if (rules.length > RULE_COUNT) throw new Error('assembler: more rules than an instruction holds')
  return rules
}

function describe(
  { on, success, reason }: CallOptions,
  syscall?: SyscallName,
): Pick<Instruction, 'syscall' | 'reason' | 'branches'> {
  const branches = describeBranches(on, success)
  return {
    ...(syscall !== undefined && { syscall }),
    ...(reason !== undefined && { reason }),
    ...(branches !== '' && { branches }),
  }
}

function describeBranches(on: Rules | undefined, success: Label | undefined): string {
  if (on === undefined && success === undefined) return ''
  const branches = Object.entries(on ?? {}).map(
    ([errno, target]) => `${errno}: ${target === 'retry' ? 'retry' : target.name}`,
  )
  if (success !== undefined) branches.push(`success: ${success.name}`)
  return branches.join(', ')
}

function meetOperands(options: Pick<MeetOptions, 'values' | 'fds'>): Operand[] {
  const { values = [], fds = [] } = options
  if (values.length > 3 || fds.length > 3) {
    throw new Error('assembler: a meet holds 3 values and 3 fds')
  }
  return [values, fds].flatMap((list) => [0, 1, 2].map((i) => list[i] ?? NO_OPERAND))
}
