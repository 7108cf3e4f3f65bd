/** `pause` and `resume`: all processes of a container stand still, and go on. */
import { StateError } from '../errors.ts'
import { lockContainer } from '../state/lock.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readStatus, type Status } from '../state/status.ts'
import { openContainer, openRoot, readRecord } from '../state/store.ts'
import { freezeCgroups, thawCgroups } from './cgroups/freezer.ts'

/** Pauses a container that runs or is created; returns when none of its processes runs. */
export function pauseContainer(rootPath: string, id: string): void {
  withContainer(rootPath, id, (record, status) => {
    if (status !== 'running' && status !== 'created') throw new StateError('container not running')
    freezeCgroups(record.cgroups)
  })
}

export function resumeContainer(rootPath: string, id: string): void {
  withContainer(rootPath, id, (record, status) => {
    if (status !== 'paused') throw new StateError('container not paused')
    thawCgroups(record.cgroups)
  })
}

function withContainer(
  rootPath: string,
  id: string,
  change: (record: ContainerRecord, status: Status) => void,
): void {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  using _lock = lockContainer(directory)
  const record = readRecord(directory)
  change(record, readStatus(directory, record))
}
