/**
 * `create`: from a compiled bundle to a process that waits for `start`. Whatever fails on the way,
 * what was made so far is undone before the error leaves; what a SIGKILL of this process would
 * leave behind is on record before it is made, so that `delete --force` finds it.
 */
import { StateError } from '../errors.ts'
import { lockContainer } from '../state/lock.ts'
import { makeNotifyDirectory } from '../state/notify-directory.ts'
import type { ContainerRecord } from '../state/record.ts'
import { makeStatusPage } from '../state/status-page.ts'
import {
  type ContainerDirectory,
  createContainerDirectory,
  isRemoved,
  openRoot,
  removeContainerDirectory,
  startSocketPath,
  writeRecord,
} from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { listenUnix } from '../sys/socket.ts'
import { checkUnused } from './cgroups/steps.ts'
import type { CreateInput } from './create-input.ts'
import {
  beginCreation,
  type Creation,
  performHostStep,
  serveCreation,
  takePidfd,
} from './creation.ts'
import { findPreserved, nameDescriptors } from './descriptors.ts'
import { explainExecution, reapExecution, serveMeetings, startExecution } from './execution.ts'
import { closeHookFiles } from './hooks.ts'
import { writeKeptConfig } from './kept-config.ts'
import { undoCreation } from './undo.ts'

/** What `run` needs of the container that it just made. */
export interface Created {
  readonly record: ContainerRecord
  /** pidfd of the container's process; the caller closes it. */
  readonly pidfd: number
  /** The master of its pty, where no console socket took it; the caller closes it. */
  readonly terminal?: number
}

/** Creates a container. When it throws, nothing is left, or the error says what is. */
export function createContainer(input: CreateInput): Created {
  const { options, lowered } = input
  const preserved = findPreserved(options, input.descriptors)
  using root = openRoot(input.rootPath)
  using directory = createContainerDirectory(root, options.id)
  using _lock = lockContainer(directory)
  // `delete --force` may have taken the empty directory; its name may be another's by now.
  if (isRemoved(directory)) throw new StateError('deleted while it was created')
  const removeDirectory = () => removeContainerDirectory(root, options.id)
  const creation = claim(input, directory, removeDirectory)
  try {
    writeRecord(directory, creation.record)
    if (options.notifyDirectory !== undefined) makeNotifyDirectory(directory)
    writeKeptConfig(directory, input.spec, input.facts, options)
    for (const step of lowered.prologue) performHostStep(creation, step)
    runProgram(creation, preserved)
    creation.hookFiles.forEach(closeHookFiles)
    const { record, terminal } = creation
    return { record, pidfd: takePidfd(creation), ...(terminal !== undefined && { terminal }) }
  } catch (error) {
    throw undoCreation(creation, error, removeDirectory)
  }
}

/** Looks at cgroups before the record names them: what it names, `delete` kills. */
function claim(
  input: CreateInput,
  directory: ContainerDirectory,
  removeDirectory: () => void,
): Creation {
  try {
    input.claimed?.(directory)
    for (const step of input.plan.steps) {
      if (step.kind === 'make-cgroup' || step.kind === 'start-unit') checkUnused(step)
    }
    return beginCreation(input, directory)
  } catch (error) {
    removeDirectory()
    throw error
  }
}

function runProgram(creation: Creation, preserved: readonly number[]): void {
  const { input, directory } = creation
  const program = input.faults?.program?.(input.lowered.program) ?? input.lowered.program
  const status = makeStatusPage(directory)
  const listening = listenUnix(startSocketPath(directory))
  try {
    const given = nameDescriptors(listening, preserved)
    const execution = startExecution({ program, status, given })
    creation.execution = execution
    const end = serveMeetings(
      execution.control,
      (meeting) => serveCreation(creation, meeting),
      () => creation.done,
    )
    const { ended, succeeded } = reapExecution(execution)
    if (end === 'gone' || !succeeded) {
      throw explainExecution(execution, ended, creation.executable)
    }
    closeFd(execution.control)
  } finally {
    closeFd(listening)
    closeFd(status)
  }
}
