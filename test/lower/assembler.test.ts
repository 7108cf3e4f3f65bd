import { describe, expect, test } from 'vitest'
import { createAssembler } from '../../src/lower/assembler.ts'
import { flags, O } from '../../src/lower/constants.ts'
import {
  HEADER,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  MAGIC,
  NONE,
  OPCODE,
  OPERAND,
  RETRY,
} from '../../src/lower/instruction-set.ts'
import { address, immediate, load, negated, slotValue } from '../../src/lower/operands.ts'
import {
  encodeCapabilityData,
  encodeInterfaceFlags,
  encodeTimespec,
} from '../../src/lower/structs.ts'
import type { Step } from '../../src/plan/steps.ts'

const STEP: Step = { kind: 'new-session', phase: 'session', origin: '/test' }

function assemble(build: (asm: ReturnType<typeof createAssembler>) => void) {
  const asm = createAssembler('x64')
  asm.begin(STEP)
  build(asm)
  const program = asm.finish()
  const view = new DataView(program.bytes.buffer)
  const header = (name: keyof typeof HEADER): number => view.getUint32(HEADER[name], true)
  const field = (index: number, name: keyof typeof INSTRUCTION, at = 0): number =>
    view.getUint32(HEADER_SIZE + index * INSTRUCTION_SIZE + INSTRUCTION[name] + at, true)
  return { program, view, header, field }
}

describe('the encoding of programs', () => {
  test('header, instructions and data stand where the header says', () => {
    const { header, field, program } = assemble((asm) => {
      asm.call('close', [immediate(7)])
      asm.string('text')
    })
    expect(header('magic')).toBe(MAGIC)
    expect(header('instructionCount')).toBe(1)
    expect(header('slotCount')).toBe(1)
    expect(field(0, 'op')).toBe(OPCODE.call)
    expect(field(0, 'number')).toBe(3)
    expect(field(0, 'slot')).toBe(NONE)
    expect(field(0, 'target')).toBe(NONE)
    expect(field(0, 'operands')).toBe(OPERAND.immediate)
    expect(field(0, 'operands', 8)).toBe(7)
    const data = program.bytes.subarray(header('dataOffset'))
    expect(Buffer.from(data.subarray(0, 5)).toString()).toBe('text\0')
    expect(header('dataOffset') % 8).toBe(0)
    expect(data.length).toBe(header('dataSize'))
    expect(data.at(-1)).toBe(0)
  })

  test('operands of all kinds', () => {
    const { field, view } = assemble((asm) => {
      const slot = asm.slot('fd')
      const data = asm.bytes(16)
      asm.call('ioctl', [
        slotValue(slot),
        negated(slot),
        address(data, 'd'),
        load(data, 4, 4, 'word'),
        load(data, 8, 8, 'words'),
        immediate(-100),
      ])
    })
    const kinds = [0, 16, 32, 48, 64, 80].map((at) => field(0, 'operands', at))
    const { slot, negated: minus, load32, load64, immediate: constant } = OPERAND
    expect(kinds).toEqual([slot, minus, OPERAND.address, load32, load64, constant])
    const last = HEADER_SIZE + INSTRUCTION.operands + 80 + 8
    expect(view.getBigInt64(last, true)).toBe(-100n)
  })

  test('rules hold errno and target, in their order', () => {
    const { field } = assemble((asm) => {
      const end = asm.label('end')
      asm.call('close', [], { on: { EAGAIN: 'retry', '*': end }, success: end })
      asm.call('setsid', [])
      asm.place(end)
      asm.call('setsid', [])
    })
    expect(field(0, 'rules')).toBe(11)
    expect(field(0, 'rules', 4)).toBe(RETRY)
    expect(field(0, 'rules', 8)).toBe(0xffff_ffff)
    expect(field(0, 'rules', 12)).toBe(2)
    expect(field(0, 'target')).toBe(2)
  })

  test('relocations point from pointers to what they point to', () => {
    const { view, header } = assemble((asm) => {
      asm.call('setsid', [])
      asm.pointers([asm.string('a'), asm.string('b'), asm.string('a')])
    })
    const at = header('relocationsOffset')
    expect(header('relocationCount')).toBe(3)
    const pairs = [0, 1, 2].map((i) => [
      view.getUint32(at + i * 8, true),
      view.getUint32(at + i * 8 + 4, true),
    ])
    expect(pairs).toEqual([
      [8, 0],
      [16, 2],
      [24, 0],
    ])
  })

  test('a slot of a known name is the same slot, a given fd keeps its number', () => {
    const asm = createAssembler('x64')
    expect(asm.slot('fd')).toEqual(asm.slot('fd'))
    expect(asm.slot('other').index).toBe(2)
    expect(asm.given('a').value).toBe(6n)
    expect(asm.given('b').value).toBe(7n)
    expect(asm.given('a').value).toBe(6n)
  })

  test.each<[string, (asm: ReturnType<typeof createAssembler>) => void, string]>([
    [
      'a jump back',
      (asm) => {
        const back = asm.label('back')
        asm.place(back)
        asm.jump(back)
      },
      'jump back to back',
    ],
    ['a label that stands nowhere', (asm) => asm.jump(asm.label('lost')), 'lost is not placed'],
    [
      'more rules than there is room for',
      (asm) => {
        const on = { EPERM: 'retry', ENOENT: 'retry', EIO: 'retry', EBADF: 'retry', EINTR: 'retry' }
        asm.call('close', [], { on: on as Record<string, 'retry'> })
      },
      'more rules',
    ],
    ['a NUL in a string', (asm) => asm.string('a\0b'), 'NUL byte'],
  ])('%s is refused', (_name, build, message) => {
    expect(() => assemble(build)).toThrow(message)
  })

  test('an instruction belongs to a step', () => {
    expect(() => createAssembler('x64').call('setsid', [])).toThrow('outside of a step')
  })
})

describe('the kernel’s structs', () => {
  test('open flags differ between architectures', () => {
    expect(flags(O.x64, 'DIRECTORY', 'NOFOLLOW').value).toBe(0o600000n)
    expect(flags(O.arm64, 'DIRECTORY', 'NOFOLLOW').value).toBe(0o140000n)
    expect(flags(O.arm64, 'DIRECTORY', 'CLOEXEC').show).toBe('O_DIRECTORY|O_CLOEXEC')
  })

  test('capability sets are split into low and high words', () => {
    const words = new Uint32Array(encodeCapabilityData(1n, 1n << 40n, 3n << 31n).buffer)
    expect([...words]).toEqual([1, 0, 0x8000_0000, 0, 0x100, 1])
  })

  test('a timespec and an ifreq', () => {
    expect([...new BigUint64Array(encodeTimespec(1_500_000_000n).buffer)]).toEqual([
      1n,
      500_000_000n,
    ])
    const request = encodeInterfaceFlags('lo', 1)
    expect(request.length).toBe(40)
    expect([...request.subarray(0, 3), request[16]]).toEqual([0x6c, 0x6f, 0, 1])
  })
})
