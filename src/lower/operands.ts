/** What an instruction can be given: constants, addresses of data, slots, words of the data. */
import type { OPERAND } from './instruction-set.ts'

/** `show` is what a listing prints for the operand, e.g. `"dev/shm"` or `MS_BIND|MS_REC`. */
export interface Operand {
  readonly kind: keyof typeof OPERAND
  readonly value: bigint
  readonly show: string
}

/** A 64-bit variable of the running program. */
export interface Slot {
  readonly index: number
  readonly name: string
  /** What the fd in it stands for. */
  readonly of?: string
}

export interface DataRef {
  readonly offset: number
  readonly size: number
}

export interface Label {
  readonly name: string
}

export const NO_OPERAND: Operand = Object.freeze({ kind: 'none', value: 0n, show: '' })

/** All 64 bits, as the mask of a test. */
export const ALL_BITS = 0xffff_ffff_ffff_ffffn

/** A constant; `show` is its symbolic form. */
export function immediate(value: bigint | number, show?: string): Operand {
  return { kind: 'immediate', value: BigInt(value), show: show ?? value.toString() }
}

/** The address of data. */
export function address(ref: DataRef, show: string): Operand {
  return { kind: 'address', value: BigInt(ref.offset), show }
}

/** As much of a string, and of a list, as fits a message: strace -s and its `...`. */
const TEXT_LIMIT = 256
const LIST_LIMIT = 16

/** A string as it is shown. */
export function showText(text: string): string {
  return JSON.stringify(text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}…` : text)
}

/** A list as it is shown, its items shown already. */
export function showList(items: readonly string[]): string {
  const shown = items.slice(0, LIST_LIMIT)
  return `[${[...shown, ...(items.length > LIST_LIMIT ? ['…'] : [])].join(', ')}]`
}

export function showSlot({ name, of }: Slot): string {
  return of === undefined ? name : `${name}<${showText(of).slice(1, -1)}>`
}

/** What a slot holds. */
export function slotValue(slot: Slot): Operand {
  return { kind: 'slot', value: BigInt(slot.index), show: showSlot(slot) }
}

/** Minus what a slot holds. */
export function negated(slot: Slot): Operand {
  return { kind: 'negated', value: BigInt(slot.index), show: `-${slot.name}` }
}

/** The 32 or 64 bits that stand in the data at run time, e.g. a member of a struct statx. */
export function load(ref: DataRef, at: number, width: 4 | 8, show: string): Operand {
  return { kind: width === 4 ? 'load32' : 'load64', value: BigInt(ref.offset + at), show }
}
