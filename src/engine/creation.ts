/** A container in the making, and what the runtime does for it from outside, step by step. */
import { describeError, StepError } from '../errors.ts'
import type { HostStep, Step } from '../plan/steps.ts'
import type { ContainerRecord } from '../state/record.ts'
import { type ContainerDirectory, writeRecord } from '../state/store.ts'
import { closeFd, duplicateFd } from '../sys/fd.ts'
import { readProcess } from '../sys/proc.ts'
import { attachDeviceFilter } from './cgroups/device-filter.ts'
import { joinCgroup, makeCgroup, ownCgroup, writeCgroupFile } from './cgroups/steps.ts'
import type { CreateInput } from './create-input.ts'
import { exchange } from './exchanges.ts'
import { type Execution, explainExecution, reapExecution } from './execution.ts'
import type { ExecutableNotes } from './explain.ts'
import { toHookContainer } from './hook-state.ts'
import { type HookFiles, runHook } from './hooks.ts'
import { writeIdMaps, writeTimeOffsets } from './id-maps.ts'
import { createRecord } from './new-record.ts'
import { setOomScore } from './oom-score.ts'
import { announceProcess } from './pid-file.ts'
import type { Answer, Meeting } from './protocol.ts'
import { raiseLimit } from './raise-limit.ts'
import { joinResctrlGroup, makeResctrlGroup } from './resctrl.ts'
import { setUnitProperties, startUnit } from './systemd/units.ts'

export interface Creation {
  readonly input: CreateInput
  readonly directory: ContainerDirectory
  record: ContainerRecord
  execution?: Execution
  /** Of the container's process, once the executor told of it. */
  pidfd?: number
  /** The master of its pty, for the supervisor. */
  terminal?: number
  /** A meeting of init that overtook the news of its birth. */
  early?: Meeting
  /** What its head tells of the executable, once the container's process found it. */
  executable?: ExecutableNotes
  /** stdin and output of the hooks that ran inside. */
  readonly hookFiles: HookFiles[]
  /** A hook has run, or tried to: poststop hooks are owed. */
  hooksRan: boolean
  done: boolean
}

/** The record has every name that will be made: what a SIGKILL leaves can be found by it. */
export function beginCreation(input: CreateInput, directory: ContainerDirectory): Creation {
  const record = createRecord(input)
  return { input, directory, record, hookFiles: [], hooksRan: false, done: false }
}

/** Serves one meeting of `create`. Throws what makes create fail. */
export function serveCreation(creation: Creation, meeting: Meeting): Answer | undefined {
  const { lowered, faults } = creation.input
  const meet = lowered.meets.get(meeting.number)
  if (meet === undefined) throw new Error(`unknown meeting ${meeting.number}: a bug in tsrunc`)
  if (meet.kind === 'cloned') {
    faults?.beforeAnswer?.(meeting)
    recordBirth(creation, meeting)
    return serveEarly(creation)
  }
  // The stage's own come before there is an init.
  if (creation.record.pid === 0 && meeting.lane !== 0) {
    keepForLater(creation, meeting)
    return undefined
  }
  faults?.beforeAnswer?.(meeting)
  if (meet.kind === 'exchange') {
    const { step } = meet
    if (step.kind === 'run-hook') creation.hooksRan = true
    return atOrigin(step, () => exchange(creation, step, meeting))
  }
  for (const step of meet.steps) performHostStep(creation, step)
  return { verdict: 'proceed' }
}

/**
 * Two processes send on one socket: the child's first meeting may overtake its parent's news. That
 * comes now or never: the parent's last two instructions are to send it and to leave.
 */
function keepForLater(creation: Creation, meeting: Meeting): void {
  const { execution } = creation
  if (execution === undefined) throw new Error('a meeting without a program: a bug in tsrunc')
  const { ended, succeeded } = reapExecution(execution)
  if (!succeeded) throw explainExecution(execution, ended)
  creation.early = { ...meeting, fds: meeting.fds.map((fd) => duplicateFd(fd)) }
}

function serveEarly(creation: Creation): Answer | undefined {
  const { early } = creation
  if (early === undefined) return undefined
  delete creation.early
  try {
    return serveCreation(creation, early)
  } finally {
    early.fds.forEach(closeFd)
  }
}

function recordBirth(creation: Creation, meeting: Meeting): void {
  const [pidfd] = meeting.fds
  if (pidfd === undefined) throw new Error('the executor sent no pidfd: a bug in tsrunc')
  creation.pidfd = duplicateFd(pidfd)
  const pid = Number(meeting.values[0])
  const startTime = readProcess(pid)?.startTime ?? ''
  creation.record = { ...creation.record, pid, startTime }
  writeRecord(creation.directory, creation.record)
}

/** Does one host step; its failure names the config field that asked for it. */
export function performHostStep(creation: Creation, step: HostStep): void {
  creation.input.faults?.beforeHostStep?.(step)
  atOrigin(step, () => performStep(creation, step))
}

function atOrigin<T>(step: Step, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError(step.origin, describeError(error), { cause: error })
  }
}

function performStep(creation: Creation, step: HostStep): void {
  const { pid } = creation.record
  switch (step.kind) {
    case 'make-cgroup':
      makeCgroup(step)
      break
    case 'start-unit':
      startUnit(step, stageOf(creation))
      break
    case 'set-unit-properties':
      setUnitProperties(step)
      break
    case 'write-cgroup-file':
      writeCgroupFile(step)
      break
    case 'attach-device-filter':
      attachDeviceFilter(step)
      break
    case 'join-cgroup':
      // Before there is an init, it is the stage that goes where init shall be.
      joinCgroup(step, pid === 0 ? stageOf(creation) : pid)
      break
    case 'make-resctrl-group':
      makeResctrlGroup(step)
      break
    case 'join-resctrl-group':
      joinResctrlGroup(step, pid)
      break
    case 'own-cgroup':
      ownCgroup(step)
      break
    case 'set-oom-score':
      setOomScore(pid, step.value, step.denied)
      break
    case 'map-ids':
      writeIdMaps(step.process === 'stage' ? stageOf(creation) : pid, step)
      break
    case 'set-time-offsets':
      writeTimeOffsets(stageOf(creation), step)
      break
    case 'raise-limit':
      raiseLimit(pid, step)
      break
    case 'run-hook':
      creation.hooksRan = true
      runHook(step, toHookContainer(creation.record), creation.input.facts.architecture)
      break
    case 'record-created':
      recordCreated(creation)
  }
}

/** The process that makes init, and waits. */
function stageOf({ execution }: Creation): number {
  if (execution === undefined) throw new Error('no program runs: a bug in tsrunc')
  return execution.pid
}

function recordCreated(creation: Creation): void {
  creation.record = { ...creation.record, creating: false }
  writeRecord(creation.directory, creation.record)
  announceProcess(creation.input, creation.record.pid, creation.pidfd ?? -1)
  creation.done = true
}

/** The pidfd goes to the caller, who closes it. */
export function takePidfd(creation: Creation): number {
  const { pidfd } = creation
  if (pidfd === undefined) throw new Error('no process was made: a bug in tsrunc')
  delete creation.pidfd
  return pidfd
}
