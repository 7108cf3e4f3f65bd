import { closeSync, openSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Assembler } from '../../src/lower/assembler.ts'
import {
  HEADER,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  LANES,
  MEET_FDS_IN,
  NONE,
  OPCODE,
  OPERAND,
  RETRY,
  SLOT_LIMIT,
} from '../../src/lower/instruction-set.ts'
import { immediate, load, slotValue } from '../../src/lower/operands.ts'
import { encodeCloneArgs } from '../../src/lower/structs.ts'
import { createRandom, mutateProgram } from './mutate-program.ts'
import {
  assemble,
  encodeVerdict,
  isAnotherUsed,
  makeDirectory,
  runProgram,
  startProgram,
  withRule,
} from './run-program.ts'

const REJECTED = {
  exit: 2,
  posted: [],
  lane: { next: 0, state: 'rejected', errno: undefined, code: 0 },
}

/** One of each kind; the order is that of OPCODE. */
const KINDS = Object.keys(OPCODE) as (keyof typeof OPCODE)[]

function writeAll(asm: Assembler): void {
  const [slot, fd, end] = [asm.slot('slot'), asm.slot('fd'), asm.label('end')]
  const window = asm.bytes(16)
  asm.relocate(window, 8, asm.string('text'))
  asm.call('getpid', [], { on: { EPERM: end } })
  asm.test(load(window, 0, 4, ''), 1n, 'eq', 1n, end)
  asm.store(window, 0, 4, immediate(0))
  asm.clone(asm.bytes(encodeCloneArgs(0n)), '', end, { into: slot })
  asm.meet(1, '', { window, into: slot, fdsInto: [fd], branch: end })
  asm.post(2, '', { values: [slotValue(slot)], fds: [slotValue(fd)] })
  asm.wait(asm.given('listening'))
  asm.mkpath(asm.given('root'), 'a/b', 'file', { into: slot })
  asm.fail(3, '', load(window, 0, 8, ''))
  asm.place(end)
}

const PROGRAM = assemble(writeAll)
const COUNT = KINDS.length
const read = (field: keyof typeof HEADER) =>
  new DataView(PROGRAM.buffer).getUint32(HEADER[field], true)
const DATA = read('dataSize')
const SLOTS = read('slotCount')
const RELOCATIONS = read('relocationsOffset')
const BIG = 0xffff_ffff

/** The program with a word of it changed. */
function patch(...words: readonly (readonly [at: number, value: number])[]): Uint8Array {
  const bytes = Uint8Array.from(PROGRAM)
  for (const [at, value] of words) new DataView(bytes.buffer).setUint32(at, value, true)
  return bytes
}

const header = (field: keyof typeof HEADER, value: number) => patch([HEADER[field], value])
const at = (kind: keyof typeof OPCODE) => HEADER_SIZE + KINDS.indexOf(kind) * INSTRUCTION_SIZE
const field = (kind: keyof typeof OPCODE, name: keyof typeof INSTRUCTION, value: number) =>
  patch([at(kind) + INSTRUCTION[name], value])

function operand(
  kind: keyof typeof OPCODE,
  index: number,
  type: keyof typeof OPERAND | 7 | 99,
  value = 0,
  high = 0,
): Uint8Array {
  const place = at(kind) + INSTRUCTION.operands + index * 16
  const code = typeof type === 'number' ? type : OPERAND[type]
  return patch([place, code], [place + 8, value], [place + 12, high])
}

/** Nothing that could be wrong but its count of slots. */
const EMPTY = assemble(() => {})
new DataView(EMPTY.buffer).setUint32(HEADER.slotCount, 0, true)

const rule = (errno: number, target: number) => withRule(PROGRAM, 0, { errno, target })

test('the program that is broken below is good', () => {
  expect(KINDS.map((kind) => OPCODE[kind])).toEqual(KINDS.map((_, index) => index + 1))
  using run = startProgram(PROGRAM)
  expect(run.receive()?.number).toBe(1)
  run.answer({ verdict: 'abandon' })
  run.end()
  expect(run.lane()).toMatchObject({ next: 5, state: 'failed', errno: 'ECANCELED' })
})

describe.each<[string, readonly (readonly [string, Uint8Array])[]]>([
  [
    'a file',
    [
      ['that is empty', new Uint8Array(0)],
      ['shorter than a header', PROGRAM.subarray(0, HEADER_SIZE - 1)],
      ['that ends after the header', PROGRAM.subarray(0, HEADER_SIZE)],
      ['that ends in the instructions', PROGRAM.subarray(0, HEADER_SIZE + 100)],
      ['that ends one byte early', PROGRAM.subarray(0, PROGRAM.length - 1)],
      ['of zeroes', new Uint8Array(4096)],
      ['of text', Buffer.from('#!/bin/sh\n'.repeat(100))],
    ],
  ],
  [
    'a header',
    [
      ['with another magic', header('magic', 0x464c_457f)],
      ['with another version', header('version', 2)],
      ['with an instruction more than there is', header('instructionCount', 1000)],
      ['with very many instructions', header('instructionCount', BIG)],
      ['whose instructions overflow 32 bits', header('instructionCount', 0x0199_999a)],
      ['with instructions in the header', header('instructionsOffset', 56)],
      ['with instructions at 0', header('instructionsOffset', 0)],
      ['with instructions out of alignment', header('instructionsOffset', HEADER_SIZE + 4)],
      ['with instructions beyond the file', header('instructionsOffset', 0x7fff_fff8)],
      [
        'with no relocations in the header',
        patch([HEADER.relocationCount, 0], [HEADER.relocationsOffset, 8]),
      ],
      ['with very many relocations', header('relocationCount', BIG)],
      ['with relocations out of alignment', header('relocationsOffset', RELOCATIONS + 4)],
      ['with relocations beyond the file', header('relocationsOffset', 0xffff_fff8)],
      ['with data beyond the file', header('dataSize', DATA + 1)],
      ['with very much data', header('dataSize', BIG)],
      ['with data that begins beyond the file', header('dataOffset', 0xffff_fff0)],
      [
        'with data out of alignment',
        patch([HEADER.dataOffset, read('dataOffset') + 4], [HEADER.dataSize, 8]),
      ],
      ['with data in the instructions', header('dataOffset', HEADER_SIZE)],
      ['with data in the last instruction', header('dataOffset', RELOCATIONS - 8)],
      ['with data in the relocations', header('dataOffset', RELOCATIONS)],
      ['with no slot for the control socket', EMPTY],
      ['with more slots than there are', header('slotCount', SLOT_LIMIT + 1)],
      ['with very many slots', header('slotCount', BIG)],
    ],
  ],
  [
    'a relocation',
    [
      ['of a place beyond the data', patch([RELOCATIONS, DATA - 7])],
      ['of a place far beyond the data', patch([RELOCATIONS, BIG])],
      ['to a place beyond the data', patch([RELOCATIONS + 4, DATA])],
    ],
  ],
  [
    'an instruction',
    [
      ['of kind 0', field('call', 'op', 0)],
      ['of an unknown kind', field('call', 'op', COUNT + 1)],
      ['with a slot beyond the last', field('call', 'slot', SLOTS)],
      ['with a jump to itself', field('test', 'target', 1)],
      ['with a jump back', field('test', 'target', 0)],
      ['with a jump beyond the end', field('test', 'target', COUNT + 1)],
      ['with a jump to retry', field('test', 'target', RETRY)],
      ['with a rule that jumps to itself', rule(1, 0)],
      ['with a rule that jumps nowhere', rule(1, NONE)],
      ['with a rule that jumps beyond the end', rule(-1, COUNT + 1)],
      ['with a rule for no errno', rule(4096, 3)],
      ['with a rule for a negative errno', rule(-2, 3)],
    ],
  ],
  [
    'an operand',
    [
      ['of an unknown kind', operand('call', 5, 7)],
      ['of a kind far beyond', operand('call', 0, 99)],
      ['that is a slot beyond the last', operand('call', 0, 'slot', SLOTS)],
      ['that is a slot above 32 bits', operand('call', 0, 'slot', 0, 1)],
      ['that is a negated slot beyond the last', operand('call', 0, 'negated', SLOTS)],
      ['that is an address beyond the data', operand('call', 0, 'address', DATA)],
      ['that is an address above 32 bits', operand('call', 0, 'address', 0, 1)],
      ['that loads 32 bits from the end', operand('call', 0, 'load32', DATA - 3)],
      ['that loads 64 bits from the end', operand('call', 0, 'load64', DATA - 7)],
      ['that loads from where addition overflows', operand('call', 0, 'load64', BIG - 3, BIG)],
      ['that is not there: a test', operand('test', 2, 'none')],
      ['that is not there: a set', operand('set', 0, 'none')],
      ['that is not there: a wait', operand('wait', 0, 'none')],
      ['that is not there: a mkpath', operand('mkpath', 3, 'none')],
      ['that is not there: a fail', operand('fail', 0, 'none')],
    ],
  ],
  [
    'a kind',
    [
      ['test with an unknown condition', field('test', 'number', 4)],
      ['test with no label', field('test', 'target', NONE)],
      ['set of three bytes', field('set', 'number', 3)],
      ['set of 16 bytes', field('set', 'number', 16)],
      ['set of no slot', field('set', 'number', 0)],
      ['set beyond the data', field('set', 'a', DATA - 3)],
      ['set far beyond the data', field('set', 'a', BIG)],
      ['clone with no label', field('clone', 'target', NONE)],
      ['clone into lane 0', field('clone', 'number', 0)],
      ['clone into a lane beyond the last', field('clone', 'number', LANES)],
      ['clone with arguments from a slot', operand('clone', 0, 'slot', 0)],
      ['clone with arguments at the end of the data', operand('clone', 0, 'address', DATA - 63)],
      ['clone with too few arguments', operand('clone', 1, 'immediate', 63)],
      ['clone with too many arguments', operand('clone', 1, 'immediate', 88, 1)],
      ['clone with an address for a size', operand('clone', 1, 'address', 64)],
      ['meet with a window beyond the data', field('meet', 'b', DATA + 1)],
      ['meet with a window that ends beyond the data', field('meet', 'a', DATA - 15)],
      ['meet with a very large window', field('meet', 'b', BIG)],
      ['meet with fds beyond the last slot', field('meet', 'c', SLOTS)],
      ['meet with fds far beyond the last slot', field('meet', 'c', BIG - 1)],
      ['meet with more fds than slots', field('meet', 'd', SLOTS)],
      [
        'meet with more fds than any may have',
        patch([HEADER.slotCount, 100], [at('meet') + INSTRUCTION.d, MEET_FDS_IN + 1]),
      ],
      ['meet with very many fds', field('meet', 'd', BIG)],
      ['wait with no slot', field('wait', 'slot', NONE)],
      ['mkpath of a path in a slot', operand('mkpath', 1, 'slot', 0)],
      ['mkpath of a path at a constant', operand('mkpath', 1, 'immediate', 4096)],
    ],
  ],
])('%s', (_, cases) => {
  test.each(cases)('%s is rejected before its first step', (_, program) => {
    expect(runProgram(program)).toEqual(REJECTED)
  })
})

test('a path that runs on to the end of the data without a NUL is too long', () => {
  const program = Uint8Array.from(
    assemble((asm) => asm.mkpath(immediate(0), 'x'.repeat(20), 'directory')),
  )
  program.fill(0x78, new DataView(program.buffer).getUint32(HEADER.dataOffset, true))
  const { exit, lane } = runProgram(program)
  expect({ exit, lane }).toEqual({
    exit: 1,
    lane: { next: 1, state: 'failed', errno: 'ENAMETOOLONG', code: 0 },
  })
})

test('a program without a file behind its fd is rejected', () => {
  using run = startProgram('directory')
  expect(run.end()).toEqual({ code: 2 })
  expect(run.lane().state).toBe('rejected')
})

/** Whatever a damaged program is, it is rejected or it ends; no memory of others is touched. */
test('no damage makes it crash or hang', { timeout: 120_000 }, () => {
  const random = createRandom(20_26)
  const root = openSync(makeDirectory('fuzz'), 'r')
  const nothing = openSync('/dev/null', 'r')
  const ends = new Map<string, number>()
  for (let i = 0; i < (isAnotherUsed() ? 250 : 2500); i++) {
    using run = startProgram(mutateProgram(PROGRAM, random), [nothing, root])
    const verdicts = [encodeVerdict(random(2), 4, 4), encodeVerdict(0, random(40), random(40))]
    for (const verdict of verdicts) run.trySend(verdict, random(4) > 0 ? [root] : [])
    run.hangUp()
    const { code, signal } = run.end()
    const end = signal === undefined ? `${code} ${run.lane().state}` : `signal ${signal}`
    ends.set(end, (ends.get(end) ?? 0) + 1)
  }
  closeSync(root)
  closeSync(nothing)
  const known = ['0 running', '1 failed', '2 rejected']
  expect([...ends.keys()].filter((end) => !known.includes(end))).toEqual([])
  expect([...ends.keys()]).toEqual(expect.arrayContaining(['1 failed', '2 rejected']))
})
