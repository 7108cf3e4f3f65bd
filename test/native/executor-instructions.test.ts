import { closeSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { flags, MFD } from '../../src/lower/constants.ts'
import { type ConditionName, FD, RETRY, RETRY_LIMIT } from '../../src/lower/instruction-set.ts'
import { ALL_BITS, address, immediate, load, negated, slotValue } from '../../src/lower/operands.ts'
import { ERRNO } from '../../src/sys/errno.ts'
import { createMemfd, writeMemfd } from '../../src/sys/memfd.ts'
import { assemble, encodeVerdict, runProgram, startProgram, withRule } from './run-program.ts'

const BAD_FD = immediate(-1)
const RUNNING = { state: 'running', errno: undefined, code: 0 }

function createFile(content: string): number {
  const fd = createMemfd('tsrunc-test-file')
  writeMemfd(fd, Buffer.from(content))
  return fd
}

function readBack(fd: number): string {
  const content = readFileSync(`/proc/self/fd/${fd}`, 'utf8')
  closeSync(fd)
  return content
}

describe('call', () => {
  test('its result goes into a slot', () => {
    const program = assemble((asm) => {
      const pid = asm.slot('pid')
      asm.call('getpid', [], { into: pid })
      asm.post(0, 'pid', { values: [slotValue(pid)] })
    })
    using run = startProgram(program)
    expect(run.receive()?.values[0]).toBe(BigInt(run.pid))
    expect(run.end()).toEqual({ code: 0 })
    expect(run.lane()).toEqual({ next: 2, ...RUNNING })
  })

  test('all six operands are passed, addresses and slots among them', () => {
    const source = createFile(`${'-'.repeat(4096)}second page`)
    const target = createFile('')
    const { exit } = runProgram(
      (asm) => {
        const [mapping, text] = [asm.slot('mapping'), asm.string(' and data')]
        const to = immediate(FD.given + 1)
        const [length, readable, isPrivate, offset] = [4096, 1, 2, 4096]
        const operands = [0, length, readable, isPrivate, FD.given, offset]
        asm.call(
          'mmap',
          operands.map((value) => immediate(value)),
          { into: mapping },
        )
        asm.call('write', [to, slotValue(mapping), immediate(11)])
        asm.call('write', [to, address(text, 'text'), immediate(9)])
      },
      [source, target],
    )
    closeSync(source)
    expect({ exit, content: readBack(target) }).toEqual({
      exit: 0,
      content: 'second page and data',
    })
  })

  test('pointers in the data are relocated', () => {
    const output = createFile('')
    const { exit } = runProgram(
      (asm) => {
        const shell = asm.string('/bin/sh')
        const script = ['sh', '-c', 'echo $GREETING $0 >&6; exit 7', 'you'].map(asm.string)
        const argv = asm.pointers(script)
        const environment = asm.pointers([asm.string('GREETING=hello')])
        const operands = [shell, argv, environment].map((ref) => address(ref, ''))
        asm.call('execve', operands)
      },
      [output],
    )
    expect({ exit, output: readBack(output) }).toEqual({ exit: 7, output: 'hello you\n' })
  })

  test('an errno that no rule names ends the program, with its place and number', () => {
    const { exit, lane } = runProgram((asm) => {
      const elsewhere = asm.label('elsewhere')
      asm.call('getpid', [])
      asm.call('close', [BAD_FD], { on: { ENOENT: elsewhere } })
      asm.place(elsewhere)
      asm.call('getpid', [])
    })
    expect({ exit, lane }).toEqual({
      exit: 1,
      lane: { next: 2, state: 'failed', errno: 'EBADF', code: 0 },
    })
  })

  test('an errno goes on where the first rule that fits says, were it the fourth', () => {
    const { lane } = runProgram((asm) => {
      const [wrong, right, last] = [asm.label('wrong'), asm.label('right'), asm.label('last')]
      const first = { ENOENT: wrong, EBADF: right, '*': wrong }
      asm.call('close', [BAD_FD], { on: first, success: wrong })
      asm.place(wrong)
      asm.fail(1, 'wrong')
      asm.place(right)
      asm.call('close', [BAD_FD], { on: { ENOENT: last, EPERM: last, EIO: last, '*': last } })
      asm.fail(2, 'fell through')
      asm.place(last)
      asm.fail(3, 'right')
    })
    expect(lane).toEqual({ next: 5, state: 'failed', errno: undefined, code: 3 })
  })

  test('a success goes on where it says, and no rule takes it for an errno', () => {
    const { lane } = runProgram((asm) => {
      const [wrong, right] = [asm.label('wrong'), asm.label('right')]
      asm.call('getpid', [], { on: { '*': wrong }, success: right })
      asm.place(wrong)
      asm.fail(1, 'wrong')
      asm.place(right)
      asm.fail(2, 'right')
    })
    expect(lane).toMatchObject({ next: 3, code: 2 })
  })

  test('what fails leaves the slot as it was', () => {
    const { posted } = runProgram((asm) => {
      const [slot, next] = [asm.slot('slot'), asm.label('next')]
      asm.set(slot, immediate(5))
      asm.call('close', [BAD_FD], { into: slot, on: { EBADF: next } })
      asm.place(next)
      asm.post(0, '', { values: [slotValue(slot)] })
    })
    expect(posted[0]).toBe(5n)
  })
})

test('retry runs the same instruction again, so many times and no more', () => {
  const program = assemble((asm) => {
    asm.call('getpid', [])
    asm.meet(0, '')
  })
  using run = startProgram(withRule(program, 1, { errno: ERRNO.EPROTO, target: RETRY }))
  let meetings = 0
  while (run.receive() !== undefined) {
    run.send(encodeVerdict(77, 0))
    meetings++
  }
  expect(meetings).toBe(1 + RETRY_LIMIT)
  expect(run.end()).toEqual({ code: 1 })
  expect(run.lane()).toEqual({ next: 2, state: 'failed', errno: 'EPROTO', code: 0 })
})

test('operands are constants, words of the data, slots and negated slots', () => {
  const { posted } = runProgram((asm) => {
    const slot = asm.slot('slot')
    const data = asm.bytes(Buffer.from('0011223344556677', 'hex'))
    asm.set(slot, immediate(42))
    asm.post(0, '', { values: [immediate(-1), load(data, 4, 4, ''), load(data, 0, 8, '')] })
    asm.post(0, '', { values: [slotValue(slot), negated(slot)] })
  })
  expect(posted).toEqual([
    0xffff_ffff_ffff_ffffn,
    0x7766_5544n,
    0x7766_5544_3322_1100n,
    42n,
    0xffff_ffff_ffff_ffd6n,
    0n,
  ])
})

describe('test', () => {
  const TOP = 0x8000_0000_0000_0000n
  test.each<[bigint, ConditionName, bigint, boolean]>([
    [5n, 'eq', 5n, true],
    [5n, 'eq', 6n, false],
    [5n, 'ne', 5n, false],
    [5n, 'ne', 6n, true],
    [5n, 'lt', 6n, true],
    [5n, 'lt', 5n, false],
    [5n, 'ge', 5n, true],
    [5n, 'ge', 6n, false],
    [1n, 'lt', TOP, true],
    [TOP, 'ge', 1n, true],
    [1n << 32n, 'eq', 0n, false],
  ])('%d %s %d is %s', (value, condition, constant, expected) => {
    const { lane } = runProgram((asm) => {
      const holds = asm.label('holds')
      asm.test(immediate(value), ALL_BITS, condition, constant, holds)
      asm.fail(1, 'does not hold')
      asm.place(holds)
      asm.fail(2, 'holds')
    })
    expect(lane.code).toBe(expected ? 2 : 1)
  })

  test('only the bits of the mask count', () => {
    const { lane } = runProgram((asm) => {
      const holds = asm.label('holds')
      asm.test(immediate(0o100644), 0o170000n, 'eq', 0o100000n, holds)
      asm.fail(1, 'does not hold')
      asm.place(holds)
    })
    expect(lane).toEqual({ next: 1, ...RUNNING })
  })
})

test('set writes a slot, or four or eight bytes of the data and none beside them', () => {
  const { posted } = runProgram((asm) => {
    const data = asm.bytes(Buffer.alloc(24, 0xff))
    const slot = asm.slot('slot')
    asm.set(slot, immediate(0x1122_3344_5566_7788n))
    asm.store(data, 4, 4, slotValue(slot))
    asm.store(data, 12, 8, slotValue(slot))
    asm.post(0, '', { values: [0, 8, 16].map((at) => load(data, at, 8, '')) })
  })
  expect(posted).toEqual([0x5566_7788_ffff_ffffn, 0x5566_7788_ffff_ffffn, 0xffff_ffff_1122_3344n])
})

describe('the end of a program', () => {
  test('fail leaves its code and the errno that it was given', () => {
    const { exit, lane } = runProgram((asm) => {
      const slot = asm.slot('slot')
      asm.set(slot, immediate(ERRNO.ENOEXEC))
      asm.fail(77, 'because', slotValue(slot))
    })
    expect({ exit, lane }).toEqual({
      exit: 1,
      lane: { next: 2, state: 'failed', errno: 'ENOEXEC', code: 77 },
    })
  })

  test('running off its end is a success', () => {
    expect(runProgram(() => {})).toEqual({ exit: 0, posted: [], lane: { next: 0, ...RUNNING } })
  })

  test('a jump to the last instruction is one', () => {
    const { exit, lane } = runProgram((asm) => {
      const last = asm.label('last')
      asm.jump(last)
      asm.fail(1, 'jumped over')
      asm.place(last)
      asm.call('getpid', [])
    })
    expect({ exit, lane }).toEqual({ exit: 0, lane: { next: 3, ...RUNNING } })
  })
})

describe('the process', () => {
  test('has its stdio, the control socket and what it was given, and nothing else', () => {
    const given = createFile('')
    using run = startProgram(
      assemble((asm) => asm.meet(0, '')),
      [given],
    )
    run.receive()
    expect(run.descriptors()).toEqual([0, 1, 2, FD.control, FD.given])
    expect(run.isCloseOnExec(FD.control)).toBe(true)
    closeSync(given)
  })

  test('cannot be traced or read by others from its first instruction on', () => {
    const { posted } = runProgram((asm) => {
      const dumpable = asm.slot('dumpable')
      const getDumpable = 3
      asm.call('prctl', [immediate(getDumpable)], { into: dumpable })
      asm.post(0, '', { values: [slotValue(dumpable)] })
    })
    expect(posted[0]).toBe(0n)
  })

  test('writes to its data without writing to the file of the program', () => {
    const bytes = assemble((asm) => {
      const data = asm.bytes(Buffer.alloc(8, 1))
      asm.store(data, 0, 8, immediate(2))
      asm.call('memfd_create', [address(asm.string('x'), ''), flags(MFD, 'CLOEXEC')])
      asm.meet(0, '')
    })
    using run = startProgram(bytes)
    run.receive()
    const maps = readFileSync(`/proc/${run.pid}/maps`, 'utf8')
    expect(maps).toMatch(/^\S+ rw-p .*tsrunc-test-program/m)
    expect(maps).not.toMatch(/^\S+ \S*w\S*x/m)
  })
})
