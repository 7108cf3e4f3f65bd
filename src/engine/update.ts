/** `update`: other limits for a container that is there. */
import { readdirSync, readFileSync } from 'node:fs'
import { describeError, isErrno, StateError, StepError } from '../errors.ts'
import type { Plan } from '../plan/plan.ts'
import type { JoinResctrlGroup, Step, WriteCgroupFile } from '../plan/steps.ts'
import { lockContainer } from '../state/lock.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readStatus } from '../state/status.ts'
import {
  type ContainerDirectory,
  openContainer,
  openRoot,
  readRecord,
  writeRecord,
} from '../state/store.ts'
import { attachDeviceFilter } from './cgroups/device-filter.ts'
import { writeCgroup } from './cgroups/files.ts'
import { freezeCgroups, thawCgroups } from './cgroups/freezer.ts'
import { findMembers } from './cgroups/processes.ts'
import { writeCgroupFile } from './cgroups/steps.ts'
import { type KeptConfig, readKeptConfig } from './kept-config.ts'
import { joinResctrlGroup, makeResctrlGroup } from './resctrl.ts'
import { setUnitProperties } from './systemd/units.ts'

/**
 * Carries out what `plan` makes of the container as it is now. When a step fails, files that were
 * written before it get back what they held.
 */
export function updateContainer(
  rootPath: string,
  id: string,
  plan: (record: ContainerRecord, readConfig: () => KeptConfig) => Plan,
): void {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  using _lock = lockContainer(directory)
  const record = readRecord(directory)
  const status = readStatus(directory, record)
  if (status === 'stopped' || status === 'creating') throw new StateError('container not running')
  const { steps } = plan(record, () => readKeptConfig(directory))
  noteGroups(directory, record, steps)
  // v1 takes device rules one by one: between them a process would meet half of a policy.
  const isRunning = status !== 'paused' && steps.some(isDeviceRule)
  if (isRunning) freezeCgroups(record.cgroups)
  try {
    performAll(steps, record)
  } finally {
    if (isRunning) thawCgroups(record.cgroups)
  }
}

function isDeviceRule(step: Step): boolean {
  return step.kind === 'write-cgroup-file' && step.file.startsWith('devices.')
}

interface Done {
  readonly step: Step
  /** What the step's file held; undefined where it cannot be written back. */
  readonly before: string | undefined
}

/** Throws the failure of a step, with what of the others is in force all the same. */
function performAll(steps: readonly Step[], record: ContainerRecord): void {
  const done: Done[] = []
  try {
    for (const step of steps) {
      const before = step.kind === 'write-cgroup-file' ? readBefore(step) : undefined
      perform(step, record)
      done.push({ step, before })
    }
  } catch (error) {
    const kept = done.toReversed().filter((one) => !restore(one))
    if (kept.length === 0) throw error
    const origins = [...new Set(kept.map(({ step }) => step.origin))].toReversed().join(', ')
    throw new StepError('', `${describeError(error)}; already in force: ${origins}`, {
      cause: error,
    })
  }
}

function perform(step: Step, record: ContainerRecord): void {
  try {
    if (step.kind === 'write-cgroup-file') writeCgroupFile(step)
    else if (step.kind === 'attach-device-filter') attachDeviceFilter(step)
    else if (step.kind === 'set-unit-properties') setUnitProperties(step)
    else if (step.kind === 'make-resctrl-group') makeResctrlGroup(step)
    else if (step.kind === 'join-resctrl-group') moveToGroup(step, record)
    else throw new Error(`update does no ${step.kind}: a bug in tsrunc`)
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError(step.origin, describeError(error), { cause: error })
  }
}

/** Before they are made: `delete` removes what the record names. */
function noteGroups(
  directory: ContainerDirectory,
  record: ContainerRecord,
  steps: readonly Step[],
): void {
  const made = steps.flatMap((step) => (step.kind === 'join-resctrl-group' ? step.path : []))
  const { resctrlGroups = [] } = record
  if (made.every((path) => resctrlGroups.includes(path))) return
  writeRecord(directory, { ...record, resctrlGroups: [...made, ...resctrlGroups] })
}

/** A group takes threads, each by itself; who begins meanwhile is where its parent is. */
function moveToGroup(step: JoinResctrlGroup, { cgroups }: ContainerRecord): void {
  for (const pid of findMembers(cgroups)) {
    for (const thread of listThreads(pid)) tolerateEnd(() => joinResctrlGroup(step, thread))
  }
}

function tolerateEnd(join: () => void): void {
  try {
    join()
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

/** None of a process that has ended. */
function listThreads(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

/** Where a file has one value, it takes what it gives; one with a line for each device does not. */
function readBefore({ hierarchy, path, file }: WriteCgroupFile): string | undefined {
  try {
    const text = readFileSync(`${hierarchy}${path}/${file}`, 'latin1').trimEnd()
    return text.includes('\n') || text === '' ? undefined : text
  } catch {
    return undefined
  }
}

/** Whether the step's file holds again what it held before. */
function restore({ step, before }: Done): boolean {
  if (step.kind !== 'write-cgroup-file' || before === undefined) return false
  try {
    writeCgroup(`${step.hierarchy}${step.path}/${step.file}`, before)
    return true
  } catch {
    return false
  }
}
