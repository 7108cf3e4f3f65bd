import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Assembler } from '../../src/lower/assembler.ts'
import { LANES } from '../../src/lower/instruction-set.ts'
import {
  ALL_BITS,
  address,
  type DataRef,
  immediate,
  type Label,
  type Slot,
  slotValue,
} from '../../src/lower/operands.ts'
import { CLONE_ARGS_AT, encodeCloneArgs } from '../../src/lower/structs.ts'
import { assemble, runProgram, startProgram } from './run-program.ts'

const CLONE_VM = 0x100n
const CLONE_PIDFD = 0x1000n
const STACK = 40
const RUNNING = { state: 'running', errno: undefined, code: 0 }

/** clone3 of a child that goes on at the label; its pid. */
function fork(asm: Assembler, child: Label, args = asm.bytes(encodeCloneArgs(0n))): Slot {
  const pid = asm.slot('pid')
  asm.clone(args, 'args', child, { into: pid })
  return pid
}

/** wait4(2): the child's status, as an operand of a test. */
function reap(asm: Assembler, pid: Slot): DataRef {
  const status = asm.bytes(8)
  asm.call('wait4', [slotValue(pid), address(status, 'status'), immediate(0), immediate(0)])
  return status
}

test('each process has a lane of its own, with its own failure', () => {
  const program = assemble((asm) => {
    const child = asm.label('child')
    reap(asm, fork(asm, child))
    asm.call('close', [immediate(-1)])
    asm.place(child)
    asm.call('getpid', [])
    asm.fail(33, 'the child ends')
  })
  using run = startProgram(program)
  expect(run.end()).toEqual({ code: 1 })
  expect(run.lane(0)).toEqual({ next: 3, state: 'failed', errno: 'EBADF', code: 0 })
  expect(run.lane(1)).toEqual({ next: 5, state: 'failed', errno: undefined, code: 33 })
  expect(run.lane(2)).toEqual({ next: 0, ...RUNNING })
})

test('parent and child go on with the same slots and data, each with its own copy', () => {
  const { posted } = runProgram((asm) => {
    const [child, slot] = [asm.label('child'), asm.slot('slot')]
    asm.set(slot, immediate(1))
    const pid = fork(asm, child)
    reap(asm, pid)
    asm.post(0, '', { values: [slotValue(slot)] })
    asm.call('exit_group', [immediate(0)])
    asm.place(child)
    asm.set(slot, immediate(2))
    asm.post(0, '', { values: [slotValue(slot), slotValue(pid)] })
  })
  expect(posted).toEqual([2n, 0n, 0n, 1n, 0n, 0n])
})

test('a child that clones has grandchildren in their lanes, whose meets say which', () => {
  const program = assemble((asm) => {
    const [child, grandchild] = [asm.label('child'), asm.label('grandchild')]
    reap(asm, fork(asm, child))
    asm.call('exit_group', [immediate(0)])
    asm.place(child)
    reap(asm, fork(asm, grandchild))
    asm.post(1, 'child')
    asm.call('exit_group', [immediate(0)])
    asm.place(grandchild)
    asm.post(2, 'grandchild')
  })
  using run = startProgram(program)
  expect(run.end()).toEqual({ code: 0 })
  expect([run.receive(), run.receive()]).toMatchObject([
    { number: 2, lane: 2 },
    { number: 1, lane: 1 },
  ])
  expect([0, 1, 2].map((lane) => run.lane(lane).next)).toEqual([3, 7, 8])
})

test('there is a lane for as many processes as the status page holds', () => {
  const program = assemble((asm) => {
    const child = asm.label('child')
    for (let i = 1; i < LANES; i++) reap(asm, fork(asm, child))
    asm.call('exit_group', [immediate(0)])
    asm.place(child)
    asm.fail(7, 'child')
  })
  using run = startProgram(program)
  expect(run.end()).toEqual({ code: 0 })
  const codes = Array.from({ length: LANES }, (_, lane) => run.lane(lane).code)
  expect(codes).toEqual([0, ...Array(LANES - 1).fill(7)])
})

test('a child is not dumpable either', () => {
  const { posted } = runProgram((asm) => {
    const [child, dumpable] = [asm.label('child'), asm.slot('dumpable')]
    const getDumpable = 3
    reap(asm, fork(asm, child))
    asm.call('exit_group', [immediate(0)])
    asm.place(child)
    asm.call('prctl', [immediate(getDumpable)], { into: dumpable })
    asm.post(0, '', { values: [slotValue(dumpable)] })
  })
  expect(posted[0]).toBe(0n)
})

test('what the kernel writes to the arguments arrives: a pidfd', () => {
  const program = assemble((asm) => {
    const [child, pidfd] = [asm.label('child'), asm.bytes(8)]
    const args = asm.bytes(encodeCloneArgs(CLONE_PIDFD))
    asm.relocate(args, CLONE_ARGS_AT.pidfd, pidfd)
    fork(asm, child, args)
    asm.meet(0, 'pidfd', { fds: [{ kind: 'load32', value: BigInt(pidfd.offset), show: '' }] })
    asm.place(child)
  })
  using run = startProgram(program)
  const [pidfd] = run.receive()?.fds ?? []
  expect(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8')).toMatch(/^Pid:\t/m)
})

test.each([
  ['shares our memory', encodeCloneArgs(CLONE_VM)],
  ['has a stack of its own', withStack()],
  ['asks for what the kernel does not know', encodeCloneArgs(1n << 60n)],
])('a clone that %s is an EINVAL, and goes by its rules', (_, args) => {
  const { exit, lane } = runProgram((asm) => {
    const [child, refused] = [asm.label('child'), asm.label('refused')]
    asm.clone(asm.bytes(args), '', child, { on: { EINVAL: refused } })
    asm.place(child)
    asm.fail(1, 'made a child')
    asm.place(refused)
    const last = asm.label('last')
    asm.clone(asm.bytes(args), '', last)
    asm.place(last)
  })
  expect({ exit, lane }).toEqual({
    exit: 1,
    lane: { next: 3, state: 'failed', errno: 'EINVAL', code: 0 },
  })
})

function withStack(): Uint8Array {
  const args = encodeCloneArgs(0n)
  new DataView(args.buffer).setBigUint64(STACK, 0x1000n, true)
  new DataView(args.buffer).setBigUint64(STACK + 8, 0x1000n, true)
  return args
}

test('a child ends where it fails, and its parent goes on', () => {
  const { exit, lane } = runProgram((asm) => {
    const [child, failed] = [asm.label('child'), asm.label('failed')]
    const status = reap(asm, fork(asm, child))
    const word = { kind: 'load32', value: BigInt(status.offset), show: 'status' } as const
    asm.test(word, ALL_BITS, 'eq', 0x100n, failed)
    asm.fail(1, 'another status')
    asm.place(child)
    asm.call('close', [immediate(-1)])
    asm.place(failed)
  })
  expect({ exit, lane }).toEqual({ exit: 0, lane: { next: 3, ...RUNNING } })
})
