/**
 * The contract between the compiler and the executor: program layout, instructions, messages and
 * status page. `native-shims/instruction-set.generated.h` is generated from this file, so that
 * the two halves cannot disagree. All integers are little-endian.
 *
 * A program is one file (a sealed memfd): header, instructions, relocations, data. Jumps go
 * forward only, so every program ends. A process that steps through a program has a *lane*, its
 * own row in the shared status page; `clone` gives the child a lane of its own.
 */

export const MAGIC = 0x3152_5354 // "TSR1"
export const VERSION = 1

/** What stands for "no slot", "no label". */
export const NONE = 0xffff_ffff
/** As the target of a rule: run the same instruction again, at most RETRY_LIMIT times. */
export const RETRY = 0xffff_fffe
export const RETRY_LIMIT = 128
/** As the errno of a rule: any errno. */
export const ANY_ERRNO = -1

export const HEADER_SIZE = 64
/** Byte offsets in the header, each a u32. */
export const HEADER = {
  magic: 0,
  version: 4,
  instructionCount: 8,
  instructionsOffset: 12,
  relocationCount: 16,
  relocationsOffset: 20,
  dataSize: 24,
  dataOffset: 28,
  slotCount: 32,
} as const

export const INSTRUCTION_SIZE = 160
export const OPERAND_COUNT = 6
export const RULE_COUNT = 4
/** Byte offsets in an instruction; `operands` are {u32 kind, u32 0, u64 value}, `rules` {i32, u32}. */
export const INSTRUCTION = {
  op: 0,
  slot: 4,
  number: 8,
  target: 12,
  a: 16,
  b: 20,
  c: 24,
  d: 28,
  operands: 32,
  rules: 128,
} as const

/** A relocation is {u32 at, u32 to}: the u64 at data[at] becomes the address of data[to]. */
export const RELOCATION_SIZE = 8

export const OPCODE = {
  /** slot ← syscall(number, operands); an errno goes by the rules; success jumps to target. */
  call: 1,
  /** (operand 0 & operand 1) CONDITION[number] operand 2, unsigned: jump to target. */
  test: 2,
  /** slot ← operand 0; or, number = 4 or 8: that many bytes of data at offset a ← operand 0. */
  set: 3,
  /** clone3(operand 0, operand 1): the child continues at target in lane `number`; slot ← its pid. */
  clone: 4,
  /**
   * Sync point `number` with the runtime, over the socket in slot 0. Out: operands 0–2 as values,
   * operands 3–5 as fds. In: a verdict; ≤ b bytes to data[a…], their count to slot; exactly d fds
   * to slots c…c+d−1. Verdict `branch` jumps to target.
   */
  meet: 5,
  /** A meet that waits for no answer. */
  post: 6,
  /**
   * Accepts on operand 0 until a peer says GO; slot ← the connection. HUP, INT, QUIT and TERM,
   * taken through a signalfd meanwhile, end the process with 128+n.
   */
  wait: 7,
  /**
   * slot ← O_PATH fd of path operand 1 below root fd operand 0, made if missing: a directory
   * (operand 2 = 0) or an empty file (1) of mode operand 3, parents 0755; operand 4: further
   * RESOLVE_* flags. Links, dangling ones too, are followed inside the root.
   */
  mkpath: 8,
  /** Leaves: code `number` and errno operand 0 stand in the status page; exit status 1. */
  fail: 9,
} as const
export type OpcodeName = keyof typeof OPCODE

export const CONDITION = { eq: 0, ne: 1, lt: 2, ge: 3 } as const
export type ConditionName = keyof typeof CONDITION

export const OPERAND = {
  none: 0,
  immediate: 1,
  /** Address of data[value]. */
  address: 2,
  slot: 3,
  /** The u32 or u64 at data[value]. */
  load32: 4,
  load64: 5,
  /** Minus what the slot holds: kill(2) of a process group. */
  negated: 6,
} as const

/** How many slots a program may have. */
export const SLOT_LIMIT = 4096
/** How many fds one meet may take in. */
export const MEET_FDS_IN = 16

/** Slot 0 holds the control socket; `wait` replaces it by the start connection. */
export const CONTROL_SLOT = 0

/** Fds that the executor is started with; what a program is given beyond them follows at GIVEN. */
export const FD = { program: 3, control: 4, status: 5, given: 6 } as const

/** executor → runtime: {u32 number, u32 lane, u32 fdCount, u32 0, u64 values[3]}. */
export const MEET_SIZE = 40
/** runtime → executor: {u32 verdict, u32 length, bytes}. */
export const VERDICT_HEADER_SIZE = 8
export const VERDICT = { proceed: 0, branch: 1, abandon: 2 } as const

/** start → executor, 8 bytes: {u32 GO, u32 0}. */
export const GO = 0x2121_4f47

/** The status page: LANES rows of {u32 next, u32 state, i32 errno, u32 code, u32 end, …}. */
export const STATUS_SIZE = 4096
export const LANE_SIZE = 64
export const LANES = 64
export const LANE = { next: 0, state: 4, errno: 8, code: 12, end: 16 } as const
/** `end`: this plus how the process ended, as shells say it; 0: not known. Written from outside. */
export const LANE_ENDED = 0x100
/** `next` is the index of the running instruction plus one; 0: the lane was never entered. */
export const LANE_STATE = { running: 0, failed: 1, signalled: 2, rejected: 3 } as const
