/** Runs programs by the real executor, with the test in the runtime's place. */
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { buildExecutor } from '../../native-shims/build.ts'
import { readStatusPage } from '../../src/engine/execution.ts'
import { type Answer, type Meeting, receiveMeeting, sendAnswer } from '../../src/engine/protocol.ts'
import { SyscallError } from '../../src/errors.ts'
import { type Assembler, createAssembler } from '../../src/lower/assembler.ts'
import {
  FD,
  HEADER_SIZE,
  INSTRUCTION,
  INSTRUCTION_SIZE,
  LANE,
  LANE_SIZE,
  LANE_STATE,
  STATUS_SIZE,
  VERDICT_HEADER_SIZE,
} from '../../src/lower/instruction-set.ts'
import { errnoName } from '../../src/sys/errno.ts'
import { callKernel, hostArchitecture } from '../../src/sys/ffi.ts'
import { createMemfd, writeMemfd } from '../../src/sys/memfd.ts'
import { type ChildEnd, openPidfd, waitForChild, waitPidfd } from '../../src/sys/process.ts'
import { createSocketPair, sendMessage } from '../../src/sys/socket.ts'
import { spawnExecutable } from '../../src/sys/spawn.ts'

const TIMEOUT_MS = 10_000
const F_SETFD = 2
const FD_CLOEXEC = 1
/** What a send to an ended program fails with. */
const GONE = ['EPIPE', 'ECONNRESET']
const O_CLOEXEC = 0o2000000

/** A row of the status page. */
export interface Lane {
  readonly next: number
  readonly state: keyof typeof LANE_STATE
  /** By name; undefined for 0. */
  readonly errno: string | undefined
  readonly code: number
}

export interface Running extends Disposable {
  readonly pid: number
  lane(number?: number): Lane
  receive(): Meeting | undefined
  answer(answer: Answer): void
  /** Bytes that need not be an answer. */
  send(bytes: Uint8Array, fds?: readonly number[]): void
  /** The same to a program that may be gone. */
  trySend(bytes: Uint8Array, fds: readonly number[]): void
  /** Closes the runtime's end of the control socket. */
  hangUp(): void
  /** Waits until the program has sent something, and leaves it unread. */
  waitForMessage(): void
  /** The fds that the process has. */
  descriptors(): number[]
  isCloseOnExec(fd: number): boolean
  /** Waits until lane 0 is gone. */
  end(): ChildEnd
}

let directory: string | undefined
let build: (directory: string) => void = buildExecutor
let built: string | undefined
let executable: number | undefined

/** What the caller of the tests left open is not for the programs. */
for (const fd of readdirSync('/proc/self/fd').map(Number)) {
  if (fd > 2) callKernel('fcntl', [fd, F_SETFD, FD_CLOEXEC], `fcntl(${fd})`, ['EBADF'])
}

/** A directory that is removed after the tests of this file. */
export function makeDirectory(name: string): string {
  directory ??= mkdtempSync(join(tmpdir(), 'tsrunc-test-executor-'))
  return mkdtempSync(join(directory, `${name}-`))
}

afterAll(() => {
  if (executable !== undefined) closeSync(executable)
  if (directory !== undefined) rmSync(directory, { recursive: true })
  executable = undefined
  directory = undefined
  built = undefined
})

/** Has another executor than the everyday one built and tested. */
export function useExecutor(another: typeof build): void {
  build = another
}

/** Such a one may be slow. */
export function isAnotherUsed(): boolean {
  return build !== buildExecutor
}

/** Path of the executor of these sources. */
export function buildOnce(): string {
  if (built === undefined) {
    built = makeDirectory('build')
    build(built)
    executable = openSync(join(built, 'tsrunc-executor'), 'r')
  }
  return join(built, 'tsrunc-executor')
}

/** A program that is written down instruction by instruction. */
export function assemble(write: (asm: Assembler) => void): Uint8Array {
  const asm = createAssembler(hostArchitecture())
  asm.begin({ kind: 'record-created', phase: 'poststop', origin: '' })
  write(asm)
  return asm.finish().bytes
}

/** Starts a program, or what is none; `given` are its fds from FD.given on, which stay the caller's. */
export function startProgram(
  program: Uint8Array | 'directory',
  given: readonly number[] = [],
): Running {
  const [control, theirs] = createSocketPair()
  const status = createMemfd('tsrunc-test-status')
  ftruncateSync(status, STATUS_SIZE)
  const pid = spawn(program, [theirs, status, ...given])
  closeSync(theirs)
  let ended: ChildEnd | 'late' | undefined
  let isOpen = true
  const hangUp = (): void => {
    if (isOpen) closeSync(control)
    isOpen = false
  }
  const end = (): ChildEnd => {
    ended ??= reap(pid, TIMEOUT_MS)
    if (ended === 'late') throw new Error('the executor did not end')
    return ended
  }
  const waitForMessage = (): void => {
    if (!waitPidfd(control, TIMEOUT_MS)) throw new Error('the program sent nothing')
  }
  return {
    pid,
    lane: (number = 0) => readLane(readStatusPage(status), number),
    receive: () => {
      waitForMessage()
      return receiveMeeting(control)
    },
    waitForMessage,
    answer: (answer) => sendAnswer(control, answer),
    send: (bytes, fds = []) => sendMessage(control, bytes, fds),
    trySend(bytes, fds) {
      try {
        sendMessage(control, bytes, fds)
      } catch (error) {
        if (!(error instanceof SyscallError && GONE.includes(error.code))) throw error
      }
    },
    hangUp,
    descriptors: () =>
      readdirSync(`/proc/${pid}/fd`)
        .map(Number)
        .toSorted((a, b) => a - b),
    isCloseOnExec: (fd) => (readFlags(pid, fd) & O_CLOEXEC) !== 0,
    end,
    [Symbol.dispose]() {
      hangUp()
      ended ??= reap(pid, 0)
      closeSync(status)
    },
  }
}

export interface Outcome {
  readonly exit: number | string
  /** All values of all posts; three of each. */
  readonly posted: readonly bigint[]
  readonly lane: Lane
}

/** Runs a program that only posts; what lane 0 left. */
export function runProgram(
  write: Uint8Array | ((asm: Assembler) => void),
  given: readonly number[] = [],
): Outcome {
  const program = write instanceof Uint8Array ? write : assemble(write)
  using run = startProgram(program, given)
  const { code, signal } = run.end()
  const posted: bigint[] = []
  for (;;) {
    const meeting = run.receive()
    if (meeting === undefined) break
    posted.push(...meeting.values)
    meeting.fds.forEach(closeSync)
  }
  return { exit: code ?? `signal ${signal}`, posted, lane: run.lane() }
}

/** The program, with one rule at the instruction, which the assembler may not know for its kind. */
export function withRule(
  program: Uint8Array,
  index: number,
  rule: { readonly errno: number; readonly target: number },
): Uint8Array {
  const at = HEADER_SIZE + index * INSTRUCTION_SIZE + INSTRUCTION.rules
  const copy = Uint8Array.from(program)
  new DataView(copy.buffer).setInt32(at, rule.errno, true)
  new DataView(copy.buffer).setUint32(at + 4, rule.target, true)
  return copy
}

/** An answer's packet, however wrong. */
export function encodeVerdict(verdict: number, length: number, bytes = 0): Buffer {
  const packet = Buffer.alloc(VERDICT_HEADER_SIZE + bytes, 'x')
  packet.writeUInt32LE(verdict, 0)
  packet.writeUInt32LE(length, 4)
  return packet
}

function spawn(
  program: Uint8Array | 'directory',
  [control, status, ...given]: readonly number[],
): number {
  buildOnce()
  const file = program === 'directory' ? openSync('/', 'r') : createMemfd('tsrunc-test-program')
  const nothing = openSync('/dev/null', 'r+')
  if (program !== 'directory') writeMemfd(file, program)
  try {
    return spawnExecutable(
      executable ?? -1,
      ['executor'],
      [
        ...[0, 1, 2].map((to) => ({ from: nothing, to })),
        { from: file, to: FD.program },
        { from: control ?? -1, to: FD.control },
        { from: status ?? -1, to: FD.status },
        ...given.map((from, index) => ({ from, to: FD.given + index })),
      ],
    )
  } finally {
    closeSync(file)
    closeSync(nothing)
  }
}

/** A process that does not end in time is killed, so that no test leaves one behind. */
function reap(pid: number, timeoutMs: number): ChildEnd | 'late' {
  const pidfd = openPidfd(pid)
  const isEnded = pidfd !== undefined && waitPidfd(pidfd, timeoutMs)
  if (pidfd !== undefined) closeSync(pidfd)
  if (!isEnded) process.kill(pid, 'SIGKILL')
  const end = waitForChild(pid)
  return isEnded ? end : 'late'
}

function readFlags(pid: number, fd: number): number {
  const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')
  return Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8)
}

function readLane(page: Buffer, number: number): Lane {
  const row = page.subarray(number * LANE_SIZE)
  const state = row.readUInt32LE(LANE.state)
  const names = Object.keys(LANE_STATE) as (keyof typeof LANE_STATE)[]
  const errno = row.readInt32LE(LANE.errno)
  return {
    next: row.readUInt32LE(LANE.next),
    state: names.find((name) => LANE_STATE[name] === state) ?? 'running',
    errno: errno === 0 ? undefined : errnoName(errno),
    code: row.readUInt32LE(LANE.code),
  }
}
