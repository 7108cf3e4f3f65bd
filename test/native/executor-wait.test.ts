import { closeSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { FD, GO } from '../../src/lower/instruction-set.ts'
import { address, immediate } from '../../src/lower/operands.ts'
import { waitPidfd } from '../../src/sys/process.ts'
import { connectUnix, listenUnix, receiveMessage, sendMessage } from '../../src/sys/socket.ts'
import { assemble, makeDirectory, type Running, startProgram } from './run-program.ts'

const { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1 } = constants.signals
const ALL_SIGNALS_SIZE = immediate(8)

/** Waits, then meets whoever said GO. */
const PROGRAM = assemble((asm) => {
  asm.wait(asm.given('listening'))
  asm.meet(1, 'started')
})

interface Waiting extends Disposable {
  readonly run: Running
  connect(): number
  /** Connects and is gone. */
  visit(): void
}

/** A program that sleeps in its wait. */
function startWaiting(program = PROGRAM): Waiting {
  const path = join(makeDirectory('wait'), 'start.sock')
  const listening = listenUnix(path)
  const run = startProgram(program, [listening])
  closeSync(listening)
  const connections: number[] = []
  sleepUntilPolling(run.pid)
  return {
    run,
    connect() {
      const socket = connectUnix(path)
      connections.push(socket)
      return socket
    },
    visit: () => closeSync(connectUnix(path)),
    [Symbol.dispose]() {
      run[Symbol.dispose]()
      connections.forEach(closeSync)
    },
  }
}

/** By the signalfd that the wait opens, and by its state. */
function sleepUntilPolling(pid: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let i = 0; i < 500; i++) {
    if (readMask(pid) !== 0n && /^State:\tS/m.test(status(pid))) return
    Atomics.wait(pause, 0, 0, 10)
  }
  throw new Error('the program does not wait')
}

function status(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1')
}

/** The signals that are blocked. */
function readMask(pid: number): bigint {
  return BigInt(`0x${/^SigBlk:\s+(\w+)/m.exec(status(pid))?.[1]}`)
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => {
    bytes.writeUInt32LE(value, index * 4)
  })
  return bytes
}

function go(socket: number): void {
  sendMessage(socket, words(GO, 0), [])
}

/** Whether the program closed this connection. */
function isHungUp(socket: number): boolean {
  return waitPidfd(socket, 5000) && receiveMessage(socket, 64) === undefined
}

/** Whether the program meets on this connection. */
function isMet(socket: number): boolean {
  return waitPidfd(socket, 5000) && receiveMessage(socket, 64)?.bytes.readUInt32LE(0) === 1
}

describe('who says GO', () => {
  test('starts the program, whose meets come over its connection from then on', () => {
    using waiting = startWaiting()
    const socket = waiting.connect()
    go(socket)
    expect(isMet(socket)).toBe(true)
    sendMessage(socket, Buffer.alloc(8), [])
    expect(waiting.run.end()).toEqual({ code: 0 })
  })

  test('may have thought about it', async () => {
    using waiting = startWaiting()
    const socket = waiting.connect()
    await setTimeout(50)
    go(socket)
    expect(isMet(socket)).toBe(true)
  })

  test('finds the signal mask and the descriptors as before the wait', () => {
    const program = assemble((asm) => {
      const usr1 = Buffer.alloc(8)
      usr1.writeBigUInt64LE(1n << BigInt(SIGUSR1 - 1))
      const set = address(asm.bytes(usr1), 'set')
      asm.call('rt_sigprocmask', [immediate(0), set, immediate(0), ALL_SIGNALS_SIZE])
      asm.wait(asm.given('listening'))
      asm.meet(1, 'started')
    })
    using waiting = startWaiting(program)
    const { run } = waiting
    const socket = waiting.connect()
    sendMessage(socket, words(GO, 0), [0, 0, 0])
    expect(isMet(socket)).toBe(true)
    expect(readMask(run.pid)).toBe(1n << BigInt(SIGUSR1 - 1))
    const descriptors = run.descriptors()
    expect(descriptors).toHaveLength(6)
    const connection = descriptors.find((fd) => ![0, 1, 2, FD.control, FD.given].includes(fd)) ?? -1
    expect(run.isCloseOnExec(connection)).toBe(true)
  })
})

describe('a connection that is not for us', () => {
  test.each([
    ['another word', words(GO + 1, 0)],
    ['GO and more than nothing', words(GO, 1)],
    ['half of it', words(GO)],
    ['too much of it', words(GO, 0, 0)],
    ['a lot', Buffer.alloc(100_000, 'x')],
    ['one byte', Buffer.from('G')],
  ])('says %s: it is closed, and the next one counts', (_, bytes) => {
    using waiting = startWaiting()
    const socket = waiting.connect()
    sendMessage(socket, bytes, [])
    expect(isHungUp(socket)).toBe(true)
    const next = waiting.connect()
    go(next)
    expect(isMet(next)).toBe(true)
  })

  test('goes away, again and again', () => {
    using waiting = startWaiting()
    const { run } = waiting
    for (let i = 0; i < 100; i++) waiting.visit()
    const socket = waiting.connect()
    go(socket)
    expect(isMet(socket)).toBe(true)
    expect(run.descriptors()).toHaveLength(6)
  })

  test('says nothing: a newer one takes its place', () => {
    using waiting = startWaiting()
    const silent = waiting.connect()
    const next = waiting.connect()
    expect(isHungUp(silent)).toBe(true)
    go(next)
    expect(isMet(next)).toBe(true)
  })

  test('costs no time while it says nothing', async () => {
    using waiting = startWaiting()
    waiting.connect()
    await setTimeout(300)
    const stat = readFileSync(`/proc/${waiting.run.pid}/stat`, 'latin1')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    expect(Number(user) + Number(system)).toBeLessThan(5)
  })
})

describe('a signal', () => {
  test.each([
    ['HUP', SIGHUP],
    ['INT', SIGINT],
    ['QUIT', SIGQUIT],
    ['TERM', SIGTERM],
  ])('%s ends the wait', (_, signal) => {
    using waiting = startWaiting()
    const silent = waiting.connect()
    process.kill(waiting.run.pid, signal)
    expect(waiting.run.end()).toEqual({ code: 128 + signal })
    expect(waiting.run.lane()).toEqual({
      next: 1,
      state: 'signalled',
      errno: undefined,
      code: signal,
    })
    expect(isHungUp(silent)).toBe(true)
  })

  test('that means nothing by default does not end it', () => {
    using waiting = startWaiting()
    for (const signal of ['SIGCHLD', 'SIGWINCH', 'SIGURG', 'SIGSTOP', 'SIGCONT']) {
      process.kill(waiting.run.pid, signal)
    }
    const socket = waiting.connect()
    go(socket)
    expect(isMet(socket)).toBe(true)
  })

  test('ends the program as ever when the wait is over', () => {
    using waiting = startWaiting()
    const socket = waiting.connect()
    go(socket)
    expect(isMet(socket)).toBe(true)
    process.kill(waiting.run.pid, 'SIGTERM')
    expect(waiting.run.end()).toEqual({ signal: SIGTERM })
    expect(waiting.run.lane().state).toBe('running')
  })
})

test.each([
  ['no fd', -1, 'EBADF'],
  ['no socket', 0, 'ENOTSOCK'],
  ['a socket that does not listen', FD.control, 'EINVAL'],
] as const)('to wait on %s fails', (_, fd, errno) => {
  using run = startProgram(assemble((asm) => asm.wait(immediate(fd))))
  if (fd === FD.control) run.hangUp()
  expect(run.end()).toEqual({ code: 1 })
  expect(run.lane()).toEqual({ next: 1, state: 'failed', errno, code: 0 })
})
