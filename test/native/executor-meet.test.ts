import { closeSync, openSync, readlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Assembler } from '../../src/lower/assembler.ts'
import {
  ANY_ERRNO,
  FD,
  MEET_FDS_IN,
  RETRY,
  VERDICT,
  VERDICT_HEADER_SIZE,
} from '../../src/lower/instruction-set.ts'
import { address, immediate, load, slotValue } from '../../src/lower/operands.ts'
import { encodeTimespec } from '../../src/lower/structs.ts'
import { assemble, encodeVerdict, type Running, startProgram, withRule } from './run-program.ts'

const WINDOW = 16

/** A meet with a window of 16 bytes that takes so many fds; afterwards it tells what it got. */
function writeMeet(asm: Assembler, fds = 0): void {
  const window = asm.bytes(WINDOW)
  asm.bytes(Buffer.alloc(16, 0xee))
  const count = asm.slot('count')
  const branch = asm.label('branch')
  const fdsInto = Array.from({ length: fds }, (_, index) => asm.slot(`fd${index}`))
  asm.meet(7, '', { window, into: count, fdsInto, branch })
  const bytes = [0, 8].map((at) => load(window, at, 8, ''))
  asm.meet(8, 'after', { values: [slotValue(count), ...bytes] })
  asm.post(9, '', { values: [load(window, WINDOW, 8, 'beyond')] })
  asm.place(branch)
  asm.meet(10, 'end', { fds: fdsInto.slice(0, 3).map(slotValue) })
}

/** The program waits in its first meet. */
function startMeet(fds = 0): Running {
  const run = startProgram(assemble((asm) => writeMeet(asm, fds)))
  expect(run.receive()?.number).toBe(7)
  return run
}

function openFiles(count: number): number[] {
  return Array.from({ length: count }, () => openSync('/dev/zero', 'r'))
}

describe('a meet', () => {
  test('sends its number, its lane, its values and its fds', () => {
    const program = assemble((asm) => {
      const values = [1n, -1n, 1n << 40n].map((value) => immediate(value))
      asm.meet(5, '', { values, fds: [immediate(0), immediate(FD.control)] })
    })
    using run = startProgram(program)
    const { fds = [], ...meeting } = run.receive() ?? {}
    expect(meeting).toEqual({
      number: 5,
      lane: 0,
      values: [1n, 0xffff_ffff_ffff_ffffn, 1n << 40n],
    })
    expect(fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`))).toEqual([
      '/dev/null',
      expect.stringMatching(/^socket:/),
    ])
    fds.forEach(closeSync)
  })

  test('goes on when it may, with the bytes and their count', () => {
    using run = startMeet()
    run.answer({ verdict: 'proceed', bytes: Buffer.from('0123456789') })
    const [count, low, high] = run.receive()?.values ?? []
    expect(count).toBe(10n)
    expect(low).toBe(Buffer.from('01234567').readBigUInt64LE())
    expect(high).toBe(0x3938n)
    run.answer({ verdict: 'proceed' })
    expect(run.receive()?.number).toBe(9)
    expect(run.receive()?.number).toBe(10)
    run.answer({ verdict: 'proceed' })
    expect(run.end()).toEqual({ code: 0 })
  })

  test('takes a full window and writes nothing beyond it', () => {
    using run = startMeet()
    run.answer({ verdict: 'proceed', bytes: Buffer.alloc(WINDOW, 0xff) })
    expect(run.receive()?.values).toEqual([16n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn])
    run.answer({ verdict: 'proceed' })
    expect(run.receive()?.values[0]).toBe(0xeeee_eeee_eeee_eeeen)
  })

  test('goes to its branch when it is told so', () => {
    using run = startMeet()
    run.answer({ verdict: 'branch' })
    expect(run.receive()?.number).toBe(10)
  })

  test.each([1, MEET_FDS_IN])('takes %d fds, each close-on-exec', (count) => {
    using run = startMeet(count)
    const files = openFiles(count)
    run.answer({ verdict: 'branch', fds: files })
    files.forEach(closeSync)
    const { fds = [] } = run.receive() ?? {}
    expect(fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`))).toEqual(
      Array(Math.min(count, 3)).fill('/dev/zero'),
    )
    fds.forEach(closeSync)
    const own = run.descriptors().filter((fd) => fd > 2 && fd !== FD.control)
    expect(own).toHaveLength(count)
    expect(own.map((fd) => run.isCloseOnExec(fd))).not.toContain(false)
  })
})

test('a post waits for no answer', () => {
  using run = startProgram(
    assemble((asm) => {
      asm.post(1, '', { values: [immediate(1)] })
      asm.post(2, '', { fds: [immediate(0)] })
    }),
  )
  expect(run.end()).toEqual({ code: 0 })
  expect(run.receive()?.number).toBe(1)
  const second = run.receive()
  expect(second).toMatchObject({ number: 2, values: [0n, 0n, 0n] })
  second?.fds.forEach(closeSync)
  expect(run.receive()).toBeUndefined()
})

describe('an answer that is none', () => {
  const header = VERDICT_HEADER_SIZE
  test.each([
    ['is too short', Buffer.alloc(header - 1), 0, 0],
    ['is one byte', Buffer.alloc(1), 0, 0],
    ['says that it is longer than it is', encodeVerdict(VERDICT.proceed, 8, 4), 0, 0],
    ['says that it is shorter than it is', encodeVerdict(VERDICT.proceed, 4, 8), 0, 0],
    ['is longer than the window', encodeVerdict(VERDICT.proceed, 17, 17), 0, 0],
    ['is much longer than the window', encodeVerdict(VERDICT.proceed, 16, 5000), 0, 0],
    ['says an enormous length', encodeVerdict(VERDICT.proceed, 0xffff_ffff, 4), 0, 0],
    ['has an unknown verdict', encodeVerdict(3, 0), 0, 0],
    ['is garbage', Buffer.alloc(24, 0xaa), 0, 0],
    ['comes with an fd that none asked for', encodeVerdict(VERDICT.proceed, 0), 1, 0],
    ['comes without its fd', encodeVerdict(VERDICT.proceed, 0), 0, 1],
    ['comes with an fd too many', encodeVerdict(VERDICT.branch, 0), 3, 2],
    ['comes with an fd too few', encodeVerdict(VERDICT.branch, 0), 1, 2],
    ['comes with more fds than any may', encodeVerdict(VERDICT.proceed, 0), 17, MEET_FDS_IN],
    ['comes with 200 fds', encodeVerdict(VERDICT.proceed, 0), 200, MEET_FDS_IN],
    ['is garbage with fds', Buffer.alloc(3), 2, 2],
  ])('%s: EPROTO', (_, packet, sent, wanted) => {
    using run = startMeet(wanted)
    const files = openFiles(sent)
    run.send(packet, files)
    files.forEach(closeSync)
    expect(run.end()).toEqual({ code: 1 })
    expect(run.lane()).toEqual({ next: 1, state: 'failed', errno: 'EPROTO', code: 0 })
  })

  test('leaves none of its fds open', () => {
    const program = assemble((asm) => asm.meet(1, ''))
    using run = startProgram(withRule(program, 0, { errno: ANY_ERRNO, target: RETRY }))
    for (const sent of [1, 16, 17, 100]) {
      run.receive()
      const files = openFiles(sent)
      run.send(encodeVerdict(VERDICT.proceed, 0), files)
      files.forEach(closeSync)
    }
    run.receive()
    expect(run.descriptors()).toEqual([0, 1, 2, FD.control])
  })
})

describe('the other side', () => {
  const CANCELED = { next: 1, state: 'failed', errno: 'ECANCELED', code: 0 }

  test('may call it off, whatever else it sends', () => {
    using run = startMeet()
    const files = openFiles(2)
    run.send(encodeVerdict(VERDICT.abandon, 99, 3), files)
    files.forEach(closeSync)
    expect(run.end()).toEqual({ code: 1 })
    expect(run.lane()).toEqual(CANCELED)
  })

  test('may go away while it is waited for', () => {
    using run = startMeet()
    run.hangUp()
    expect(run.end()).toEqual({ code: 1 })
    expect(run.lane()).toEqual(CANCELED)
  })

  test('may go away with a message unread', () => {
    using run = startProgram(
      assemble((asm) => {
        asm.post(1, '')
        asm.meet(2, '')
      }),
    )
    expect(run.receive()?.number).toBe(1)
    run.waitForMessage()
    run.hangUp()
    expect(run.end()).toEqual({ code: 1 })
    expect(run.lane()).toEqual({ ...CANCELED, next: 2 })
  })

  test('may be gone before: no signal ends the program', () => {
    using run = startMeet()
    run.answer({ verdict: 'branch' })
    expect(run.receive()?.number).toBe(10)
    run.answer({ verdict: 'proceed' })
    run.hangUp()
    expect(run.end()).toEqual({ code: 0 })
    using lonely = startProgram(
      assemble((asm) => {
        const pause = asm.bytes(encodeTimespec(50_000_000n))
        asm.call('nanosleep', [address(pause, '50 ms'), immediate(0)])
        asm.post(1, '')
      }),
    )
    lonely.hangUp()
    expect(lonely.end()).toEqual({ code: 1 })
    expect(lonely.lane()).toEqual({ next: 2, state: 'failed', errno: 'EPIPE', code: 0 })
  })
})
