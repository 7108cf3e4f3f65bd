import { describe, expect, test } from 'vitest'
import {
  type BpfInstruction,
  CODE,
  compileDeviceFilter,
  encodeInstructions,
  listInstructions,
} from '../../../../src/fields/linux/resources/device-filter.ts'
import {
  ANY,
  type DeviceException,
  type DevicePolicy,
} from '../../../../src/fields/linux/resources/device-rules.ts'

interface Access {
  readonly type: 'b' | 'c'
  readonly access: number
  readonly major: number
  readonly minor: number
}

/** What the kernel does with the program: the instructions that it may have, and no others. */
function run(program: readonly BpfInstruction[], { type, access, major, minor }: Access): bigint {
  const context = new DataView(new ArrayBuffer(12))
  context.setUint32(0, (access << 16) | (type === 'b' ? 1 : 2), true)
  context.setUint32(4, major, true)
  context.setUint32(8, minor, true)
  const registers = new BigUint64Array(11)
  for (let at = 0; ; at++) {
    const instruction = program[at]
    if (instruction === undefined) throw new Error(`the program runs out at ${at}`)
    const { code, target, source, offset, immediate } = instruction
    const value = registers[target] ?? 0n
    const extended = BigInt.asUintN(64, BigInt(immediate))
    const low = Number(BigInt.asUintN(32, value))
    switch (code) {
      case CODE.load:
        if (source !== 1) throw new Error('only the context can be read')
        registers[target] = BigInt(context.getUint32(offset, true))
        break
      case CODE.move:
        registers[target] = registers[source] ?? 0n
        break
      case CODE.moveImmediate:
        registers[target] = extended
        break
      case CODE.andImmediate:
        registers[target] = value & extended
        break
      case CODE.shiftRightImmediate:
        registers[target] = value >> extended
        break
      case CODE.jump:
        at += offset
        break
      case CODE.jumpIfNotEqual:
        if (low !== immediate >>> 0) at += offset
        break
      case CODE.jumpIfAnyBit:
        if ((low & immediate) !== 0) at += offset
        break
      case CODE.exit:
        return registers[0] ?? 0n
      default:
        throw new Error(`unknown code ${code}`)
    }
  }
}

/** The v1 controller's judgement: all of the access in one exception, or any of it denied. */
function isAllowed({ allowByDefault, exceptions }: DevicePolicy, asked: Access): boolean {
  const fitting = exceptions.filter(
    ({ type, major, minor }) =>
      type === asked.type &&
      (major === ANY || major === asked.major) &&
      (minor === ANY || minor === asked.minor),
  )
  return allowByDefault
    ? fitting.every(({ access }) => (access & asked.access) === 0)
    : fitting.some(({ access }) => (asked.access & ~access) === 0)
}

/** xorshift32: the same lists in every run. */
function makeRandom(seed: number) {
  let state = seed
  return (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const NUMBERS = [0, 1, 3, 8, 136, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

test('compiled filters judge as the v1 controller does, over random policies', () => {
  const random = makeRandom(20260)
  const pick = (list: readonly number[]) => list[random(list.length)] ?? 0
  let allowed = 0
  for (let round = 0; round < 400; round++) {
    const exceptions = Array.from({ length: random(12) }, (): DeviceException => {
      const type = random(2) === 0 ? 'b' : 'c'
      return {
        type,
        major: pick([ANY, ...NUMBERS]),
        minor: pick([ANY, ...NUMBERS]),
        access: 1 + random(7),
      }
    })
    const policy = { allowByDefault: random(2) === 0, exceptions }
    const program = compileDeviceFilter(policy)
    for (let ask = 0; ask < 40; ask++) {
      const near = exceptions[random(Math.max(1, exceptions.length))]
      const asked: Access = {
        type: near?.type ?? 'c',
        major:
          near === undefined || near.major === ANY || random(4) === 0 ? pick(NUMBERS) : near.major,
        minor:
          near === undefined || near.minor === ANY || random(4) === 0 ? pick(NUMBERS) : near.minor,
        access: 1 + random(7),
      }
      const expected = isAllowed(policy, asked)
      if (expected) allowed++
      expect({ policy, asked, verdict: run(program, asked) }).toEqual({
        policy,
        asked,
        verdict: expected ? 1n : 0n,
      })
    }
  }
  expect(allowed).toBeGreaterThan(4000)
  expect(allowed).toBeLessThan(12000)
})

const POLICY: DevicePolicy = {
  allowByDefault: false,
  exceptions: [
    { type: 'c', major: ANY, minor: ANY, access: 1 },
    { type: 'c', major: 1, minor: 3, access: 7 },
  ],
}

test('the listing says what the program does', () => {
  expect(listInstructions(compileDeviceFilter(POLICY))).toEqual([
    '0: r2 = *(u32 *)(r1 + 0)',
    '1: r3 = r2',
    '2: r2 &= 0xffff',
    '3: r3 >>= 16',
    '4: r4 = *(u32 *)(r1 + 4)',
    '5: r5 = *(u32 *)(r1 + 8)',
    '6: if w2 != 2 goto 9',
    '7: if w3 & 0x6 goto 9',
    '8: goto 16',
    '9: if w2 != 2 goto 14',
    '10: if w4 != 1 goto 14',
    '11: if w5 != 3 goto 13',
    '12: goto 16',
    '13: goto 14',
    '14: r0 = 0',
    '15: exit',
    '16: r0 = 1',
    '17: exit',
  ])
})

describe('the encoding', () => {
  test('is struct bpf_insn', () => {
    const load = { code: CODE.load, target: 4, source: 1, offset: 4, immediate: 0 }
    const jump = { code: CODE.jumpIfNotEqual, target: 5, source: 0, offset: 3, immediate: -1 }
    expect(Buffer.from(encodeInstructions([load, jump])).toString('hex')).toBe(
      '6114040000000000' + '56050300ffffffff',
    )
  })

  test('has no jump backwards and none beyond the end', () => {
    const program = compileDeviceFilter(POLICY)
    for (const [index, { offset, code }] of program.entries()) {
      if (code === CODE.load) continue
      expect(offset).toBeGreaterThanOrEqual(0)
      expect(index + 1 + offset).toBeLessThanOrEqual(program.length)
    }
  })
})
