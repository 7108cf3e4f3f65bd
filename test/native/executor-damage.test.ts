/** Damaged programs that get further than the check: one short program for each kind of effect. */
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Assembler } from '../../src/lower/assembler.ts'
import { FD, GO } from '../../src/lower/instruction-set.ts'
import { ALL_BITS, address, immediate, load, negated, slotValue } from '../../src/lower/operands.ts'
import { openPidfd, waitPidfd } from '../../src/sys/process.ts'
import { connectUnix, listenUnix, sendMessage } from '../../src/sys/socket.ts'
import { createRandom, mutateProgram } from './mutate-program.ts'
import {
  assemble,
  encodeVerdict,
  makeDirectory,
  type Running,
  startProgram,
} from './run-program.ts'

const ROUNDS = 80
const SIGTERM = 15
/** What is not over by then waits for a peer. */
const PATIENCE_MS = 20
/** What neither ends nor waits by then hangs. */
const HANG_MS = 10_000

const ROOT = immediate(FD.given)

/** Slots, words and addresses of the data, rules and retry. */
function writeData(asm: Assembler): void {
  const [slot, other] = [asm.slot('slot'), asm.slot('other')]
  const [end, bad] = [asm.label('end'), asm.label('bad')]
  const data = asm.bytes(Buffer.alloc(32, 0x5a))
  asm.pointers([asm.string('one'), asm.string('two')])
  asm.set(slot, immediate(42))
  asm.store(data, 0, 8, slotValue(slot))
  asm.store(data, 12, 4, address(data, ''))
  asm.test(load(data, 0, 4, ''), ALL_BITS, 'ne', 42n, bad)
  asm.call('getpid', [negated(slot), load(data, 8, 8, '')], { into: other, success: end })
  asm.place(bad)
  asm.fail(3, 'wrong', slotValue(other))
  asm.place(end)
  asm.call('getpid', [], { on: { EBADF: 'retry' } })
}

function writeMeetings(asm: Assembler): void {
  const [count, first, second] = [asm.slot('count'), asm.slot('first'), asm.slot('second')]
  const [window, next] = [asm.bytes(16), asm.label('next')]
  asm.post(1, '', { values: [immediate(1), load(window, 0, 8, '')], fds: [ROOT] })
  asm.meet(2, '', { window, into: count, branch: next })
  asm.meet(3, '', { fdsInto: [first, second] })
  asm.place(next)
  asm.meet(4, '', { window, values: [slotValue(count)], fds: [slotValue(first)] })
}

function writePaths(asm: Assembler): void {
  const [slot, next] = [asm.slot('slot'), asm.label('next')]
  asm.mkpath(ROOT, 'a/b/../c', 'directory', { into: slot })
  asm.mkpath(slotValue(slot), '/d/e', 'file', { mode: 0o600, on: { '*': next } })
  asm.place(next)
  asm.mkpath(ROOT, `x/${'y/'.repeat(60)}`, 'directory', { on: { ELOOP: 'retry' } })
}

function writeWait(asm: Assembler): void {
  asm.wait(immediate(FD.given + 1))
  asm.call('getpid', [])
}

function isOver(pid: number, patience = PATIENCE_MS): boolean {
  const pidfd = openPidfd(pid)
  if (pidfd === undefined) return true
  try {
    return waitPidfd(pidfd, patience)
  } finally {
    closeSync(pidfd)
  }
}

/** Waits until it ends, or is found in that state. */
function settle(pid: number, state: (status: string) => boolean): void {
  const deadline = Date.now() + HANG_MS
  while (!isOver(pid) && !state(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
    if (Date.now() > deadline) break
  }
}

/** It waits for an answer, or for who starts it. */
function isAsleep(status: string): boolean {
  return /^State:\s*S/m.test(status)
}

/** It blocks TERM while it waits for who starts it, and never else. */
function isWaiting(status: string): boolean {
  const [, blocked = '0'] = /^SigBlk:\s*(\w+)/m.exec(status) ?? []
  return (BigInt(`0x${blocked}`) & (1n << BigInt(SIGTERM - 1))) !== 0n
}

/** It ends by itself, or when the runtime has gone, or by TERM while it waits. */
function finish(run: Running): string {
  settle(run.pid, isAsleep)
  if (!isOver(run.pid, 0)) run.hangUp()
  settle(run.pid, isWaiting)
  if (!isOver(run.pid, 0)) process.kill(run.pid, SIGTERM)
  const { code, signal } = run.end()
  return signal === undefined ? `${code} ${run.lane().state}` : `signal ${signal}`
}

/** A socket to wait on, with a peer in it that said GO and left. */
function listenToGo(path: string): number {
  const listening = listenUnix(path)
  const peer = connectUnix(path)
  sendMessage(peer, Buffer.from(Uint32Array.of(GO, 0).buffer), [])
  closeSync(peer)
  rmSync(path)
  return listening
}

const KNOWN = ['0 running', '1 failed', '143 signalled', '2 rejected']

test.each([
  ['data', writeData],
  ['meetings', writeMeetings],
  ['paths', writePaths],
  ['a wait', writeWait],
] as const)('no damage to a program of %s makes it crash or hang', (_, write) => {
  const program = assemble(write)
  const random = createRandom(7)
  const directory = makeDirectory('damage')
  const root = openSync(directory, 'r')
  const ends = new Set<string>()
  for (let i = 0; i < ROUNDS; i++) {
    const listening = listenToGo(join(directory, 'start.sock'))
    using run = startProgram(mutateProgram(program, random), [root, listening])
    run.trySend(encodeVerdict(random(3), 4, 4), [])
    run.trySend(encodeVerdict(0, 0), [root, root])
    run.trySend(encodeVerdict(0, 8, random(4) > 0 ? 8 : random(40)), [])
    ends.add(finish(run))
    closeSync(listening)
  }
  closeSync(root)
  expect([...ends].filter((end) => !KNOWN.includes(end))).toEqual([])
  // Some get to their end, or the damage would say little.
  expect([...ends]).toContain('0 running')
  expect([...ends]).toContain('2 rejected')
})
