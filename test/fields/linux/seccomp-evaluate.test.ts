import { describe, expect, test } from 'vitest'
import { AUDIT_ARCHITECTURE, evaluateFilter } from '../../../src/fields/linux/seccomp-evaluate.ts'

type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, k: number]

function run(program: readonly Instruction[], args: readonly bigint[] = []): number {
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(([code, whenTrue, whenFalse, k], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(whenTrue, index * 8 + 2)
    bytes.writeUInt8(whenFalse, index * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  })
  return evaluateFilter(bytes, { number: 59, architecture: AUDIT_ARCHITECTURE.x64, args })
}

const load = (offset: number): Instruction => [0x20, 0, 0, offset]
const setA = (value: number): Instruction => [0x00, 0, 0, value]
const setX = (value: number): Instruction => [0x01, 0, 0, value]
const returnA: Instruction = [0x16, 0, 0, 0]

test('the data of a call lies where the kernel puts it', () => {
  expect(run([load(0), returnA])).toBe(59)
  expect(run([load(4), returnA])).toBe(0xc000_003e)
  expect(run([load(8), returnA])).toBe(0)
  const args = [1n, 2n, 3n, 4n, 5n, 0xfedc_ba98_7654_3210n]
  expect(run([load(16), returnA], args)).toBe(1)
  expect(run([load(56), returnA], args)).toBe(0x7654_3210)
  expect(run([load(60), returnA], args)).toBe(0xfedc_ba98)
  expect(run([[0x80, 0, 0, 0], returnA])).toBe(64)
})

test.each<[string, number, number, number, number]>([
  ['add', 0x04, 0xffff_ffff, 2, 1],
  ['subtract', 0x14, 1, 2, 0xffff_ffff],
  ['multiply', 0x24, 0x8000_0001, 3, 0x8000_0003],
  ['divide', 0x34, 0xffff_ffff, 2, 0x7fff_ffff],
  ['or', 0x44, 0x8000_0000, 1, 0x8000_0001],
  ['and', 0x54, 0xffff_0001, 0xffff_0000, 0xffff_0000],
  ['shift left', 0x64, 0xc000_0000, 1, 0x8000_0000],
  ['shift right', 0x74, 0x8000_0000, 31, 1],
  ['negate', 0x84, 1, 0, 0xffff_ffff],
  ['exclusive or', 0xa4, 0xffff_ffff, 1, 0xffff_fffe],
])('%s is unsigned, with 32 bits', (_, code, a, operand, expected) => {
  expect(run([setA(a), [code, 0, 0, operand], returnA])).toBe(expected)
  expect(run([setA(a), setX(operand), [code | 0x08, 0, 0, 0], returnA])).toBe(expected)
})

describe('jumps', () => {
  const verdicts: Instruction[] = [
    [0x06, 0, 0, 1],
    [0x06, 0, 0, 2],
  ]

  test.each<[string, number, number, number, boolean]>([
    ['equal', 0x15, 7, 7, true],
    ['equal', 0x15, 7, 8, false],
    ['greater', 0x25, 0xffff_ffff, 1, true],
    ['greater', 0x25, 7, 7, false],
    ['greater or equal', 0x35, 7, 7, true],
    ['greater or equal', 0x35, 6, 7, false],
    ['any bit', 0x45, 0x8000_0001, 0x8000_0000, true],
    ['any bit', 0x45, 2, 5, false],
  ])('%s', (_, code, a, operand, taken) => {
    expect(run([setA(a), [code, 1, 0, operand], ...verdicts])).toBe(taken ? 2 : 1)
    expect(run([setA(a), [code, 0, 1, operand], ...verdicts])).toBe(taken ? 1 : 2)
    expect(run([setA(a), setX(operand), [code | 8, 1, 0, 0], ...verdicts])).toBe(taken ? 2 : 1)
  })

  test('always, with a way of 32 bits', () => {
    expect(run([[0x05, 0, 0, 1], ...verdicts])).toBe(2)
  })
})

test('memory and the index register keep their values', () => {
  expect(run([setA(5), [0x02, 0, 0, 3], setA(0), [0x60, 0, 0, 3], returnA])).toBe(5)
  expect(run([setX(6), [0x03, 0, 0, 0], [0x61, 0, 0, 0], [0x87, 0, 0, 0], returnA])).toBe(6)
  expect(run([setA(7), [0x07, 0, 0, 0], setA(0), [0x87, 0, 0, 0], returnA])).toBe(7)
})

test('what the kernel would refuse is no verdict', () => {
  expect(() => run([])).toThrow('without a verdict')
  expect(() => run([setA(1)])).toThrow('without a verdict')
  expect(() => run([[0x05, 0, 0, 0xffff_ffff], returnA])).toThrow('without a verdict')
  expect(() => run([[0x28, 0, 0, 0], returnA])).toThrow('unknown instruction 0x28')
})
