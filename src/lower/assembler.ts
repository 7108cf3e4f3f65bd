/**
 * Builds programs: symbolic instructions, data with relocations, labels and slots. What it gives
 * out is both the bytes for the executor and the listing that `plan --syscalls` and error
 * messages print.
 */
import type { Step } from '../plan/steps.ts'
import type { Architecture, SyscallName } from '../sys/syscall-numbers.ts'
import { createDataSection } from './data-section.ts'
import { encodeProgram, type Unresolved } from './encode.ts'
import { CONTROL_SLOT, FD, NONE, OPCODE, type OpcodeName } from './instruction-set.ts'
import { calls, jumps, processes } from './instructions.ts'
import type { Label, Operand, Slot } from './operands.ts'

/** One instruction as the compiler sees it. */
export interface Instruction {
  readonly op: OpcodeName
  readonly step: Step
  readonly text: string
  readonly syscall?: SyscallName
  /** What a failure here means to a user, beyond its errno. */
  readonly reason?: string
  /** Where it goes on other than at the next instruction, e.g. `EEXIST: existing`. */
  readonly branches?: string
  /** Names of the labels that stand before it. */
  readonly labels?: readonly string[]
}

export interface Program {
  readonly bytes: Uint8Array
  readonly listing: readonly Instruction[]
  /** Names of the fds that the engine must pass, in order, from FD.given on. */
  readonly given: readonly string[]
}

/** What the kinds of instructions are built with. */
export interface Emitter {
  readonly architecture: Architecture
  readonly emit: (
    op: OpcodeName,
    text: string,
    fields: Partial<Unresolved>,
    extra?: Pick<Instruction, 'syscall' | 'reason' | 'branches'>,
  ) => void
}

/** Member by member: spreading objects takes V8 several times as long, and as much memory. */
function complete(op: number, fields: Partial<Unresolved>): Unresolved {
  const { slot = NONE, number = 0, target, a = 0, b = 0, c = 0, d = 0 } = fields
  const { operands = [], rules = [] } = fields
  return { op, slot, number, target, a, b, c, d, operands, rules }
}

export type Assembler = ReturnType<typeof createAssembler>

/** Starts a program for a machine architecture. */
export function createAssembler(architecture: Architecture) {
  const instructions: Unresolved[] = []
  const listing: Instruction[] = []
  const placed = new Map<Label, number>()
  const given: string[] = []
  const data = createDataSection()
  const names = ['control']
  let current: Step | undefined

  const emitter: Emitter = {
    architecture,
    emit(op, text, fields, extra = {}) {
      if (current === undefined) throw new Error('assembler: instruction outside of a step')
      instructions.push(complete(OPCODE[op], fields))
      listing.push({ op, step: current, text, ...extra })
    },
  }

  return {
    architecture,
    bytes: data.bytes,
    string: data.string,
    relocate: data.relocate,
    pointers: data.pointers,
    ...calls(emitter, data),
    ...jumps(emitter),
    ...processes(emitter),

    /** All instructions from here on are caused by this step. */
    begin(step: Step): void {
      current = step
    },

    /**
     * Equal names are the same variable: a step's own ones are free again after it. With `of`,
     * listings and messages say what the fd in it stands for, as strace -y does: `target</dev>`.
     */
    slot(name: string, of?: string): Slot {
      const known = names.indexOf(name)
      const index = known < 0 ? names.push(name) - 1 : known
      return of === undefined ? { index, name } : { index, name, of }
    },

    /** The slot that the control socket stands in. */
    control: { index: CONTROL_SLOT, name: 'control' } as Slot,

    /** An fd that the engine passes to the executor under this name, as an operand. */
    given(name: string): Operand {
      let index = given.indexOf(name)
      if (index < 0) index = given.push(name) - 1
      return { kind: 'immediate', value: BigInt(FD.given + index), show: name }
    },

    label: (name: string): Label => ({ name }),

    /** The label stands before the next instruction. */
    place(label: Label): void {
      if (placed.has(label)) throw new Error(`assembler: label ${label.name} placed twice`)
      placed.set(label, instructions.length)
    },

    finish(): Program {
      const parts = { instructions, placed, slotCount: names.length, ...data.finish() }
      return {
        bytes: encodeProgram(parts),
        listing: Object.freeze(nameLabels(listing, placed)),
        given: [...given],
      }
    },
  }
}

function nameLabels(
  listing: readonly Instruction[],
  placed: ReadonlyMap<Label, number>,
): Instruction[] {
  const labels = new Map<number, string[]>()
  for (const [label, index] of placed) labels.set(index, [...(labels.get(index) ?? []), label.name])
  return listing.map((instruction, index) => {
    const here = labels.get(index)
    return here === undefined ? instruction : { ...instruction, labels: here }
  })
}
