/** One run of a program by the executor: its processes, its socket, its status page. */
import { closeSync, ftruncateSync, readSync } from 'node:fs'
import type { StepError } from '../errors.ts'
import type { Program } from '../lower/assembler.ts'
import { FD, STATUS_SIZE } from '../lower/instruction-set.ts'
import { listInstructions } from '../lower/listing.ts'
import { monotonicMs } from '../sys/clock.ts'
import { closeFd } from '../sys/fd.ts'
import { createMemfd, createSealedMemfd, sealExecutable } from '../sys/memfd.ts'
import { type ChildEnd, waitPidfd } from '../sys/process.ts'
import { createSocketPair, shutdownWrites } from '../sys/socket.ts'
import { type ExecutableNotes, explainFailure } from './explain.ts'
import { executorPath } from './installation.ts'
import { reapChild, spawnChild } from './parent.ts'
import { type Answer, type Meeting, receiveMeeting, sendAnswer } from './protocol.ts'

/** How long the processes of a program that was given up may take to leave. */
const END_TIMEOUT_MS = 10_000

export interface Execution {
  readonly program: Program
  /** Lane 0, a child of this process or of the front (engine/parent.ts). */
  readonly pid: number
  readonly control: number
  readonly status: number
  /** How lane 0 ended, once it was reaped. */
  end?: ChildEnd
  isClosed?: boolean
}

export interface ExecutionInput {
  readonly program: Program
  /** Values for `program.given`, by name. */
  readonly given?: Readonly<Record<string, number>>
  /** The status page's file; a fresh memfd when absent. */
  readonly status?: number
  /** fds that become 0, 1 and 2. */
  readonly stdio?: readonly [number, number, number]
}

let executable: number | undefined

/** A sealed copy of the executor: nothing in a container can reach the host's (CVE-2019-5736). */
export function openExecutor(): number {
  executable ??= sealExecutable(executorPath())
  return executable
}

/** Starts the program. */
export function startExecution(input: ExecutionInput): Execution {
  const status = input.status ?? createMemfd('tsrunc-status')
  ftruncateSync(status, STATUS_SIZE)
  const [control, theirs] = createSocketPair()
  const program = createSealedMemfd('tsrunc-program', input.program.bytes)
  try {
    const [stdin, stdout, stderr] = input.stdio ?? [0, 1, 2]
    const pid = spawnChild(openExecutor(), [
      { from: stdin, to: 0 },
      { from: stdout, to: 1 },
      { from: stderr, to: 2 },
      { from: program, to: FD.program },
      { from: theirs, to: FD.control },
      { from: status, to: FD.status },
      ...givenDescriptors(input),
    ])
    return { program: input.program, pid, control, status }
  } catch (error) {
    closeFd(control)
    if (input.status === undefined) closeSync(status)
    throw error
  } finally {
    closeFd(theirs)
    closeFd(program)
  }
}

function givenDescriptors(input: ExecutionInput): { from: number; to: number }[] {
  return input.program.given.map((name, index) => {
    const from = input.given?.[name]
    if (from === undefined) throw new Error(`the program asks for an fd that is not there: ${name}`)
    return { from, to: FD.given + index }
  })
}

/** Serves meetings until `isDone` or the other side is gone; says which. */
export function serveMeetings(
  control: number,
  serve: (meeting: Meeting) => Answer | undefined,
  isDone: () => boolean,
): 'done' | 'gone' {
  while (!isDone()) {
    const meeting = receiveMeeting(control)
    if (meeting === undefined) return 'gone'
    try {
      const answer = serve(meeting)
      if (answer !== undefined) sendAnswer(control, answer)
    } finally {
      meeting.fds.forEach(closeFd)
    }
  }
  return 'done'
}

/** The error that the status page of a program tells of. */
export function explainExecution(
  execution: Execution,
  ended: string,
  notes: ExecutableNotes = {},
): StepError {
  const listing = listInstructions(execution.program)
  return explainFailure(readStatusPage(execution.status), (index) => listing[index], ended, notes)
}

/** The whole page, zeroes where it was never written. */
export function readStatusPage(status: number): Buffer {
  const page = Buffer.alloc(STATUS_SIZE)
  readSync(status, page, 0, STATUS_SIZE, 0)
  return page
}

/** Waits for lane 0 and reaps it; the words for how it ended. */
export function reapExecution(execution: Execution): { ended: string; succeeded: boolean } {
  execution.end ??= reapChild(execution.pid)
  const { code, signal } = execution.end
  if (signal !== undefined) return { ended: `was killed by signal ${signal}`, succeeded: false }
  return { ended: `exited with status ${code}`, succeeded: code === 0 }
}

/**
 * The end of a program, however far it came: whoever waits in a meeting, or comes to one, finds
 * that nobody answers any more, and leaves. May be called twice.
 */
export function endExecution(execution: Execution): void {
  if (execution.isClosed) return
  const { control } = execution
  shutdownWrites(control)
  const deadline = monotonicMs() + END_TIMEOUT_MS
  for (let isOpen = true; isOpen; ) {
    if (!waitPidfd(control, deadline - monotonicMs())) {
      throw new Error(`a process of the program is still there after ${END_TIMEOUT_MS / 1000} s`)
    }
    const unheard = receiveMeeting(control)
    unheard?.fds.forEach(closeFd)
    isOpen = unheard !== undefined
  }
  reapExecution(execution)
  closeFd(control)
  execution.isClosed = true
}
