/** `delete`: removes what `create` made, in whatever state it was left. */
import { describeError, StateError } from '../errors.ts'
import { lockContainer } from '../state/lock.ts'
import type { ContainerRecord } from '../state/record.ts'
import { salvageRecord } from '../state/salvage.ts'
import { readStatus } from '../state/status.ts'
import {
  type ContainerDirectory,
  containerExists,
  isRemoved,
  openContainer,
  openRoot,
  readRecord,
  removeContainerDirectory,
} from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { sendPidfdSignal } from '../sys/process.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { openContainerProcess, SIGKILL } from './container-process.ts'
import { destroyContainer } from './destroy.ts'

/** How long `delete --force` lets another command finish by itself. */
const FORCE_PATIENCE_MS = 1000

export interface DeleteInput {
  readonly rootPath: string
  readonly id: string
  readonly force: boolean
  readonly architecture: Architecture
  readonly warn: (message: string) => void
}

/**
 * Deletes a stopped or created container; a running one only by force. By force, a container that
 * does not exist is no error, and neither is a state directory without a readable record.
 */
export function deleteContainer(input: DeleteInput): void {
  const { id, force } = input
  using root = openRoot(input.rootPath)
  if (force && !containerExists(root, id)) return
  using directory = openContainer(root, id)
  using _lock = force ? lockByForce(directory) : lockContainer(directory)
  // Another delete was faster, and the id may be a new container's by now.
  if (force && isRemoved(directory)) return
  const record = readRecordToDelete(directory, input)
  const status = readStatus(directory, record)
  if (!force && status !== 'stopped' && status !== 'created') {
    throw new StateError(`cannot delete container ${id} that is not stopped: ${status}`)
  }
  destroyContainer({
    record,
    architecture: input.architecture,
    poststop: record.hooks.poststop,
    warn: input.warn,
    removeDirectory: () => removeContainerDirectory(root, id),
  })
}

/**
 * Who holds the lock may wait for the container itself: `start` does for as long as a hook of its
 * image runs, or a stopped process does not go on. By force, that process does not stay.
 */
function lockByForce(directory: ContainerDirectory): Disposable {
  try {
    return lockContainer(directory, FORCE_PATIENCE_MS)
  } catch (error) {
    if (!(error instanceof StateError)) throw error
  }
  const pidfd = openContainerProcess(salvageRecord(directory))
  if (pidfd !== undefined) {
    sendPidfdSignal(pidfd, SIGKILL)
    closeFd(pidfd)
  }
  return lockContainer(directory)
}

function readRecordToDelete(directory: ContainerDirectory, input: DeleteInput): ContainerRecord {
  try {
    return readRecord(directory)
  } catch (error) {
    if (!input.force) throw error
    input.warn(`${describeError(error)}: removing what is left`)
    return salvageRecord(directory)
  }
}
