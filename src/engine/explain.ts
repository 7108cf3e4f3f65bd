/** From the status page back to words: which config field, which call, which errno, what to do. */
import { StepError } from '../errors.ts'
import { explainFail, FAIL } from '../lower/fail-codes.ts'
import { LANE, LANE_SIZE, LANE_STATE, LANES } from '../lower/instruction-set.ts'
import type { ListedInstruction } from '../lower/listing.ts'
import { errnoName } from '../sys/errno.ts'
import { showBytes } from './executable.ts'
import { findHint, findWords } from './hints.ts'

export type Listing = (index: number) => ListedInstruction | undefined

/** What else is known of the container's executable when it cannot be run. */
export interface ExecutableNotes {
  /** The interpreter that it names. */
  readonly interpreter?: string
  /** Why it is no program for this machine. */
  readonly foreign?: string
}

/** One process of a program, as the status page shows it. */
export interface Lane {
  /** Index of the last instruction it began; -1 if it never began one. */
  readonly index: number
  readonly state: keyof typeof LANE_STATE
  readonly errno: number
  readonly code: number
}

/** Reads the rows of the lanes that ran. */
export function readLanes(page: Buffer): readonly Lane[] {
  const names = Object.keys(LANE_STATE) as (keyof typeof LANE_STATE)[]
  return Array.from({ length: LANES }, (_, number) => {
    const row = number * LANE_SIZE
    return {
      index: page.readUInt32LE(row + LANE.next) - 1,
      state: names[page.readUInt32LE(row + LANE.state)] ?? 'rejected',
      errno: page.readInt32LE(row + LANE.errno),
      code: page.readUInt32LE(row + LANE.code),
    }
  })
}

/**
 * The error of a program that ended early. `listing(index)` gives the instruction; `ended` is what
 * is known of the process otherwise (`was killed by SIGKILL`).
 */
export function explainFailure(
  page: Buffer,
  listing: Listing,
  ended: string,
  notes: ExecutableNotes = {},
): StepError {
  const lanes = readLanes(page)
  const failed = lanes.filter((lane) => lane.state === 'failed')
  const signalled = lanes.find((lane) => lane.state === 'signalled')
  if (lanes[0]?.state === 'rejected') {
    return new StepError('', 'the executor refused its program: this is a bug in tsrunc')
  }
  // A hook's child fails first and its parent then reports the exit status: the child knows why.
  const cause = failed.findLast((lane) => listing(lane.index)?.op !== 'fail') ?? failed.at(-1)
  if (cause !== undefined) return explainLane(cause, failed, listing, notes)
  if (signalled !== undefined) {
    return new StepError('', `the container was ended by signal ${signalled.code} before its start`)
  }
  const last = lanes.findLastIndex((lane) => lane.index >= 0)
  const instruction = listing(lanes[last]?.index ?? -1)
  if (instruction === undefined) return new StepError('', `the container's process ${ended}`)
  // One that came to the end of its lane has left another, which did not come to its first step.
  const hasLeft = last === 0 && instruction.syscall === 'exit_group'
  // `ended` is known of lane 0; what ends another one without a trace is SIGKILL.
  const how = last === 0 && !hasLeft ? ended : 'was killed'
  const when = hasLeft ? 'before its first step' : `during ${instruction.text}`
  // Not the fault of the field that it was at.
  return new StepError(
    '',
    `the container's process ${how} ${when}` +
      ' (hint: was it out of memory? /linux/resources/memory/limit may be too low)',
  )
}

function explainLane(
  lane: Lane,
  failed: readonly Lane[],
  listing: Listing,
  notes: ExecutableNotes,
): StepError {
  const instruction = listing(lane.index)
  if (instruction === undefined) {
    return new StepError('', `instruction ${lane.index} failed: ${errnoName(lane.errno)}`)
  }
  const parent = failed.find((other) => other !== lane && listing(other.index)?.op === 'fail')
  const outer = parent === undefined ? undefined : listing(parent.index)?.reason
  return new StepError(instruction.origin, describe(instruction, lane, outer, notes))
}

function describe(
  instruction: ListedInstruction,
  lane: Lane,
  outer: string | undefined,
  { interpreter, foreign }: ExecutableNotes,
): string {
  if (instruction.op === 'fail') {
    const isInterpreters = lane.code === FAIL.interpreter
    const detail =
      (isInterpreters && interpreter && showBytes(interpreter)) ||
      explainFail(lane.code, lane.errno)
    return `${instruction.reason ?? instruction.text}${detail === '' ? '' : `: ${detail}`}`
  }
  const errno = errnoName(lane.errno)
  const call = instruction.syscall ?? instruction.op
  const isProgram = call === 'execve' && instruction.origin.startsWith('/process')
  const hint = (isProgram && foreign) || instruction.reason || findHint(call, errno)
  const words = findWords(call, errno)
  const prefix = outer === undefined ? '' : `${outer}: `
  return `${prefix}${instruction.text}: ${errno}${words}${hint === undefined ? '' : ` (hint: ${hint})`}`
}
