/**
 * `exec`: a further process in a running container. It falls to the caller's subreaper, or in the
 * foreground to the supervisor. When it throws, the container runs on as if nothing had been.
 */
import { closeSync } from 'node:fs'
import { describeError, StepError } from '../errors.ts'
import type { ExecOptions } from '../host/facts.ts'
import type { Program } from '../lower/assembler.ts'
import type { LoweredExec } from '../lower/lower.ts'
import type { Meet } from '../lower/meets.ts'
import type { HostStep } from '../plan/steps.ts'
import { closeFd, duplicateFd } from '../sys/fd.ts'
import { sendPidfdSignal, waitPidfd } from '../sys/process.ts'
import { sendMessage } from '../sys/socket.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { joinCgroup } from './cgroups/steps.ts'
import { KILL_TIMEOUT_MS, SIGKILL } from './container-process.ts'
import { findPreserved, namePreserved } from './descriptors.ts'
import { answerInspection, answerText } from './exchanges.ts'
import type { ExecTarget } from './exec-target.ts'
import { inspectExecutable } from './executable.ts'
import {
  type Execution,
  endExecution,
  explainExecution,
  readStatusPage,
  reapExecution,
  serveMeetings,
  startExecution,
} from './execution.ts'
import { type ExecutableNotes, readLanes } from './explain.ts'
import { setOomScore } from './oom-score.ts'
import { findHome } from './passwd.ts'
import { type Announcement, openAnnouncement } from './pid-file.ts'
import { type Answer, type Meeting, receiveMeeting } from './protocol.ts'
import { raiseLimit } from './raise-limit.ts'
import { joinResctrlGroup } from './resctrl.ts'
import { sendListener } from './seccomp-listener.ts'
import { encodeSupervise } from './supervisor-protocol.ts'
import { passTerminal } from './terminal.ts'

/** Where tests may interfere: nothing of it is reachable from the command line. */
export interface ExecFaults {
  readonly program?: (program: Program) => Program
  readonly beforeAnswer?: (meeting: Meeting) => void
}

export interface ExecInput extends Announcement {
  readonly target: Pick<ExecTarget, 'pidfd' | 'record'>
  readonly options: ExecOptions
  readonly lowered: LoweredExec
  readonly architecture: Architecture
  /** Fds from 3 on that the caller left open to us. */
  readonly descriptors: readonly number[]
  /** The socket to the supervisor; absent: there is none. */
  readonly supervisor?: number
  /** Called before the supervisor takes over: from then on this process may be gone any time. */
  readonly succeeded?: () => void
  readonly faults?: ExecFaults
}

/** The process in the making. */
interface Entering {
  readonly input: ExecInput
  readonly execution: Execution
  pid: number
  pidfd?: number
  /** The master of its pty, for the supervisor. */
  terminal?: number
  executable?: ExecutableNotes
}

/** Runs a process; when it returns, its program runs and this process has nothing more to do. */
export function execProcess(input: ExecInput): void {
  using announcement = openAnnouncement(input)
  const entering = enter(input)
  const { execution } = entering
  try {
    serveProgram(entering)
    const { pid, pidfd = -1, terminal } = entering
    announcement.announce(pid, pidfd)
    input.succeeded?.()
    if (input.supervisor === undefined || input.options.detach) return
    const message = encodeSupervise({
      pid,
      pidfd,
      fallback: [],
      ...(terminal !== undefined && { terminal }),
    })
    sendMessage(input.supervisor, message.bytes, message.descriptors)
  } catch (error) {
    killProcess(entering)
    throw error
  } finally {
    endExecution(execution)
    closeSync(execution.status)
    if (entering.pidfd !== undefined) closeFd(entering.pidfd)
    if (entering.terminal !== undefined) closeFd(entering.terminal)
  }
}

function enter(input: ExecInput): Entering {
  const preserved = findPreserved(input.options, input.descriptors)
  const program = input.faults?.program?.(input.lowered.program) ?? input.lowered.program
  const given = { container: input.target.pidfd, ...namePreserved(preserved) }
  return { input, execution: startExecution({ program, given }), pid: 0 }
}

/** The connection ends when execve(2) closes it, or with the last process of the program. */
function serveProgram(entering: Entering): void {
  const { execution } = entering
  serveMeetings(
    execution.control,
    (meeting) => serveEntering(entering, meeting),
    () => false,
  )
  const { ended, succeeded } = reapExecution(execution)
  const [, ...lanes] = readLanes(readStatusPage(execution.status))
  const execute = execution.program.listing.findLastIndex(({ syscall }) => syscall === 'execve')
  const isExecuted = lanes.some(({ state, index }) => state === 'running' && index === execute)
  if (!succeeded || !isExecuted) throw explainExecution(execution, ended, entering.executable)
}

function serveEntering(entering: Entering, meeting: Meeting): Answer | undefined {
  const { lowered, faults } = entering.input
  const meet = lowered.meets.get(meeting.number)
  if (meet === undefined) throw new Error(`unknown meeting ${meeting.number}: a bug in tsrunc`)
  faults?.beforeAnswer?.(meeting)
  switch (meet.kind) {
    case 'cloned':
      entering.pid = Number(meeting.values[0])
      entering.pidfd = meeting.fds.map((fd) => duplicateFd(fd))[0] ?? -1
      return undefined
    case 'host':
      // All come before the clone: what is done to the stage, its child inherits.
      for (const step of meet.steps) performHostStep(step, entering.execution.pid)
      return { verdict: 'proceed' }
    case 'exchange':
      awaitBirth(entering)
      return exchange(entering, meet, meeting)
  }
}

/**
 * Two processes send on one socket: the child's first meeting may overtake its parent's news of it.
 * Sent or not, the parent leaves at once; without the news, the child is not let go on.
 */
function awaitBirth(entering: Entering): void {
  if (entering.pid !== 0) return
  const { execution } = entering
  const { ended, succeeded } = reapExecution(execution)
  const news = succeeded ? receiveMeeting(execution.control) : undefined
  if (news === undefined) throw explainExecution(execution, ended)
  try {
    serveEntering(entering, news)
  } finally {
    news.fds.forEach(closeFd)
  }
}

function performHostStep(step: HostStep, pid: number): void {
  try {
    if (step.kind === 'join-cgroup') joinCgroup(step, pid)
    else if (step.kind === 'join-resctrl-group') joinResctrlGroup(step, pid)
    else if (step.kind === 'set-oom-score') setOomScore(pid, step.value, step.denied)
    else if (step.kind === 'raise-limit') raiseLimit(pid, step)
    else throw new Error(`exec does no ${step.kind}: a bug in tsrunc`)
  } catch (error) {
    throw new StepError(step.origin, describeError(error), { cause: error })
  }
}

function exchange(
  entering: Entering,
  { step }: Extract<Meet, { kind: 'exchange' }>,
  { fds: [fd] }: Meeting,
): Answer {
  if (step.kind === 'read-home') return answerText(`HOME=${findHome(fd, step.uid)}`)
  if (step.kind === 'load-seccomp' && step.listener !== undefined && fd !== undefined) {
    const { listener, origin } = step
    const container = entering.input.target.record
    sendListener({ listener, origin, fd, container, status: 'running', pid: entering.pid })
    return { verdict: 'proceed' }
  }
  if (step.kind === 'attach-terminal') {
    const kept = passTerminal(fd, entering.input.options.consoleSocket)
    if (kept !== undefined) entering.terminal = kept
    return { verdict: 'proceed' }
  }
  if (step.kind !== 'inspect-executable' || fd === undefined) {
    throw new Error(`exec does no ${step.kind}: a bug in tsrunc`)
  }
  const kind = inspectExecutable(fd, entering.input.architecture)
  entering.executable = kind
  return answerInspection(kind)
}

/** Its parent, whoever that is by now, reaps it. */
function killProcess({ pidfd }: Entering): void {
  if (pidfd === undefined) return
  sendPidfdSignal(pidfd, SIGKILL)
  waitPidfd(pidfd, KILL_TIMEOUT_MS)
}
