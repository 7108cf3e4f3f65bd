/** `mounts`: a program that enters the container, mounts or unmounts there, and leaves. */
import { closeSync } from 'node:fs'
import { type Pointer, StepError } from '../errors.ts'
import type { LoweredExec } from '../lower/lower.ts'
import type { Meet } from '../lower/meets.ts'
import { closeFd } from '../sys/fd.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { copyUp } from './copy-up.ts'
import type { ExecTarget } from './exec-target.ts'
import {
  type Execution,
  endExecution,
  explainExecution,
  readStatusPage,
  reapExecution,
  serveMeetings,
  startExecution,
} from './execution.ts'
import { readLanes } from './explain.ts'
import type { Answer, Meeting } from './protocol.ts'
import { openTree } from './trees.ts'

export interface MountsInput {
  readonly target: Pick<ExecTarget, 'pidfd' | 'record'>
  readonly lowered: LoweredExec
  /** Where its steps come from, in the order in which they are done. */
  readonly order: readonly Pointer[]
  readonly architecture: Architecture
}

/** Carries out a plan of mounts. When it throws, the error says what is done all the same. */
export function changeMounts(input: MountsInput): void {
  const { lowered, target } = input
  const { program } = lowered
  const execution = startExecution({ program, given: { container: target.pidfd } })
  try {
    serveMeetings(
      execution.control,
      (meeting) => serve(input, meeting),
      () => false,
    )
    const { ended, succeeded } = reapExecution(execution)
    if (succeeded && isFinished(execution)) return
    throw nameDone(explainExecution(execution, ended), input.order)
  } finally {
    endExecution(execution)
    closeSync(execution.status)
  }
}

/** Its own process came to the last call; the stage's is the one before. */
function isFinished({ program, status }: Execution): boolean {
  const last = program.listing.findLastIndex(({ syscall }) => syscall === 'exit_group')
  const [, ...lanes] = readLanes(readStatusPage(status))
  return lanes.some(({ state, index }) => state === 'running' && index === last)
}

function nameDone(error: StepError, order: readonly Pointer[]): StepError {
  const failed = order.indexOf(error.pointer)
  const done = [...new Set(order.slice(0, Math.max(failed, 0)))]
  if (done.length === 0) return error
  return new StepError('', `${error.message}; done already: ${done.join(', ')}`, { cause: error })
}

function serve(
  { lowered, target, architecture }: MountsInput,
  meeting: Meeting,
): Answer | undefined {
  const meet = lowered.meets.get(meeting.number)
  if (meet?.kind === 'cloned') return undefined
  if (meet?.kind !== 'exchange') throw new Error('an unknown meeting: a bug in tsrunc')
  return exchange(meet, meeting, { pid: target.record.pid, architecture })
}

function exchange(
  { step }: Extract<Meet, { kind: 'exchange' }>,
  { fds: [source, mount] }: Meeting,
  owner: Parameters<typeof openTree>[1],
): Answer {
  if (step.kind === 'bind-mount') {
    const tree = openTree(step, owner)
    return { verdict: 'proceed', fds: [tree], sent: () => closeFd(tree) }
  }
  if (step.kind !== 'mount-filesystem' || source === undefined || mount === undefined) {
    throw new Error(`mounts does no ${step.kind}: a bug in tsrunc`)
  }
  copyUp(source, mount, step.parameters)
  return { verdict: 'proceed' }
}
