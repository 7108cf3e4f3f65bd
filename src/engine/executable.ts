/**
 * What kind of program a file is, from its head: enough to say at create why execve(2) will fail.
 * The kernel's ENOENT for a missing interpreter and its ENOEXEC for a foreign machine are the two
 * errors that users of every runtime puzzle over.
 */
import { fstatSync } from 'node:fs'
import { readHead } from './passwd.ts'

export interface ExecutableKind {
  /**
   * Absolute path of the interpreter (`#!`, PT_INTERP) that must exist too. A character for each
   * byte: names in an image need not be UTF-8.
   */
  readonly interpreter?: string
  /** Why execve will say ENOEXEC, if it will unless binfmt_misc knows better. */
  readonly foreign?: string
}

/** The kernel reads 256 bytes of a script (BINPRM_BUF_SIZE); program headers may lie further. */
const HEAD_SIZE = 64 * 1024
const SCRIPT_LINE = 256

const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86-64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loongarch64',
}
const OWN_MACHINES: Readonly<Record<string, readonly number[]>> = { x64: [62, 3], arm64: [183, 40] }
const PT_INTERP = 3

/** Reads the head of an executable; an unreadable or odd file is judged by execve itself. */
export function inspectExecutable(fd: number, architecture: 'x64' | 'arm64'): ExecutableKind {
  if (!fstatSync(fd).isFile()) return {}
  const head = readHead(fd, HEAD_SIZE)
  if (head.length === 0) return { foreign: 'the file is empty' }
  if (head.subarray(0, 2).toString('latin1') === '#!') return inspectScript(head)
  if (head.subarray(0, 4).toString('latin1') === '\x7fELF') return inspectElf(head, architecture)
  return { foreign: 'it is neither an ELF program nor a script with a #! line' }
}

function inspectScript(head: Buffer): ExecutableKind {
  const line = head.subarray(2, SCRIPT_LINE).toString('latin1').split('\n', 1)[0] ?? ''
  const interpreter = line.trim().split(/[ \t]/, 1)[0] ?? ''
  if (interpreter === '') return { foreign: 'its #! line names no interpreter' }
  if (!interpreter.startsWith('/')) {
    return { foreign: `its #! line names ${showBytes(interpreter)}, which is no absolute path` }
  }
  return { interpreter }
}

/** As users read it. */
export function showBytes(text: string): string {
  return Buffer.from(text, 'latin1').toString()
}

function inspectElf(head: Buffer, architecture: 'x64' | 'arm64'): ExecutableKind {
  if (head.length < 64) return { foreign: 'its ELF header is cut short' }
  const little = head[5] === 1
  const machine = little ? head.readUInt16LE(18) : head.readUInt16BE(18)
  if (!little || !OWN_MACHINES[architecture]?.includes(machine)) {
    const name = ELF_MACHINES[machine] ?? `machine ${machine}`
    return { foreign: `it is a program for ${name}, this host is ${architecture}` }
  }
  const interpreter = head[4] === 2 ? findInterpreter(head) : undefined
  return interpreter === undefined ? {} : { interpreter }
}

function findInterpreter(head: Buffer): string | undefined {
  const table = Number(head.readBigUInt64LE(32))
  const size = head.readUInt16LE(54)
  const count = head.readUInt16LE(56)
  for (let i = 0; i < count; i++) {
    const at = table + i * size
    if (size < 56 || at + 56 > head.length) return undefined
    if (head.readUInt32LE(at) !== PT_INTERP) continue
    const offset = Number(head.readBigUInt64LE(at + 8))
    const length = Number(head.readBigUInt64LE(at + 32))
    if (length < 2 || length > 4096 || offset + length > head.length) return undefined
    return head.subarray(offset, offset + length - 1).toString('latin1')
  }
  return undefined
}
