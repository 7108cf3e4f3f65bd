/**
 * What a profile that denies by default says of system calls that are newer than it: ENOSYS, as a
 * kernel without them would. Programs try the new call first and fall back; on EPERM they give up.
 * runc does the same (libcontainer/seccomp/patchbpf).
 */
import { ERRNO } from './errno.ts'

/** The newest call that the profile knows of one architecture. */
export interface NewestCall {
  /** AUDIT_ARCH_* */
  readonly architecture: number
  readonly number: number
  /** Of x32, which shares its architecture with x86-64; numbers with bit 30 set. */
  readonly x32?: number
}

/** struct sock_filter: code, jt, jf, k. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number]

const LOAD_WORD = 0x20
const JUMP = 0x05
const JUMP_EQUAL = 0x15
const JUMP_GREATER = 0x25
const JUMP_SET = 0x45
const RETURN = 0x06
/** Offsets in struct seccomp_data. */
const NUMBER = 0
const ARCHITECTURE = 4
const X32_BIT = 0x4000_0000
const RET_ERRNO = 0x0005_0000

/** The filter behind what answers for newer calls. */
export function prependEnosys(filter: Uint8Array, newest: readonly NewestCall[]): Uint8Array {
  if (newest.length === 0) return filter
  const sections = newest.map(section)
  const lengths = sections.map(({ length }) => length)
  const stub: Instruction[] = [[LOAD_WORD, 0, 0, ARCHITECTURE]]
  sections.forEach((instructions, index) => {
    stub.push(...instructions)
    // Past the other architectures' sections, to the filter.
    const rest = lengths.slice(index + 1).reduce((sum, length) => sum + length + 1, 0)
    stub.push([JUMP, 0, 0, rest])
  })
  return Buffer.concat([...stub.map(encode), filter])
}

/** Falls through for calls that the profile may know, jumps past its end for other machines. */
function section({ architecture, number, x32 }: NewestCall): Instruction[] {
  const denial: Instruction = [RETURN, 0, 0, RET_ERRNO | ERRNO.ENOSYS]
  const load: Instruction = [LOAD_WORD, 0, 0, NUMBER]
  const body: Instruction[] =
    x32 === undefined
      ? [load, [JUMP_GREATER, 0, 1, number], denial]
      : [
          load,
          [JUMP_SET, 1, 0, X32_BIT],
          [JUMP_GREATER, 1, 2, number],
          [JUMP_GREATER, 0, 1, x32],
          denial,
        ]
  // The one behind the section is the jump to the filter.
  return [[JUMP_EQUAL, 0, body.length + 1, architecture], ...body]
}

function encode([code, jt, jf, k]: Instruction): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(code, 0)
  bytes.writeUInt8(jt, 2)
  bytes.writeUInt8(jf, 3)
  bytes.writeUInt32LE(k >>> 0, 4)
  return bytes
}
