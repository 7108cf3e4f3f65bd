/** What a failed `create` leaves behind: nothing. */
import { rmSync } from 'node:fs'
import { describeError, StepError } from '../errors.ts'
import { closeFd } from '../sys/fd.ts'
import { sendPidfdSignal, waitPidfd } from '../sys/process.ts'
import { KILL_TIMEOUT_MS, SIGKILL } from './container-process.ts'
import type { Creation } from './creation.ts'
import { destroyContainer } from './destroy.ts'
import { endExecution } from './execution.ts'
import { closeHookFiles, withOutput } from './hooks.ts'

/**
 * Ends the processes, removes cgroups and the state directory. Returns the error to throw: the
 * one that made create fail, with what could not be undone added to it.
 */
export function undoCreation(
  creation: Creation,
  error: unknown,
  removeDirectory: () => void,
): unknown {
  const { input, record } = creation
  const cause = withHookOutput(creation, error)
  try {
    endProcesses(creation)
    // Written last: nobody shall take it for a container that is there.
    if (creation.done && input.pidFile !== undefined) rmSync(input.pidFile, { force: true })
    destroyContainer({
      record,
      architecture: input.facts.architecture,
      // Owed once a hook of the runtime's ran (runtime-spec, lifecycle).
      poststop: creation.hooksRan ? input.lowered.epilogue.poststop : [],
      warn: input.warn,
      removeDirectory,
    })
    return cause
  } catch (failure) {
    const message = describeError(cause)
    const left = describeError(failure)
    const text = `${message}; and not all could be undone: ${left} (hint: delete --force ${record.id})`
    return new StepError('', text, { cause: error })
  }
}

/** Init by its pidfd, if we were told of it; who is left then finds that nobody answers. */
function endProcesses(creation: Creation): void {
  const { execution, pidfd } = creation
  if (creation.terminal !== undefined) closeFd(creation.terminal)
  delete creation.terminal
  if (pidfd !== undefined) {
    sendPidfdSignal(pidfd, SIGKILL)
    const isGone = waitPidfd(pidfd, KILL_TIMEOUT_MS)
    closeFd(pidfd)
    delete creation.pidfd
    if (!isGone) throw new Error(`process ${creation.record.pid} does not end after SIGKILL`)
  }
  if (execution !== undefined) endExecution(execution)
}

function withHookOutput(creation: Creation, error: unknown): unknown {
  const output = creation.hookFiles.splice(0).map(closeHookFiles).at(-1) ?? ''
  return error instanceof StepError ? withOutput(error, output) : error
}
