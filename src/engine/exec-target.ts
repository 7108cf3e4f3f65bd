/** The running container that `exec` goes into: what it was made of, and a firm hold of it. */
import { StateError } from '../errors.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readStatus, type Status } from '../state/status.ts'
import { openContainer, openRoot, readRecord } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { openContainerProcess } from './container-process.ts'
import { type KeptConfig, readKeptConfig } from './kept-config.ts'

export interface ExecTarget extends Disposable {
  readonly record: ContainerRecord
  readonly config: KeptConfig
  /** Of the container's first process. */
  readonly pidfd: number
}

/**
 * Throws StateError where no process can be added. Takes no lock: a container may keep whoever
 * enters it waiting, and `kill` and `delete` must not wait along.
 */
export function openExecTarget(
  rootPath: string,
  id: string,
  ignorePaused: boolean,
  what: 'exec' | 'mount' = 'exec',
): ExecTarget {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  checkStatus(readStatus(directory, record), ignorePaused, what)
  const config = readKeptConfig(directory)
  const pidfd = openContainerProcess(record)
  if (pidfd === undefined) throw new StateError(`cannot ${what} in a stopped container`)
  return { record, config, pidfd, [Symbol.dispose]: () => closeFd(pidfd) }
}

function checkStatus(status: Status, ignorePaused: boolean, what: string): void {
  if (status === 'stopped') throw new StateError(`cannot ${what} in a stopped container`)
  if (status === 'creating') {
    throw new StateError(`cannot ${what} in a container that is not created yet`)
  }
  if (status === 'paused' && !ignorePaused) {
    throw new StateError('cannot exec in a paused container (use --ignore-paused to override)')
  }
}
