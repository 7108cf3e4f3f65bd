/** `kill`: one signal to the container's process, or to every process of its cgroup. */
import { StateError } from '../errors.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readStatus } from '../state/status.ts'
import { type ContainerDirectory, openContainer, openRoot, readRecord } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { readBootId } from '../sys/proc.ts'
import { sendPidfdSignal } from '../sys/process.ts'
import { signalCgroups, thawKilled } from './cgroups/signal.ts'
import { openContainerProcess, SIGKILL } from './container-process.ts'

/**
 * Sends a signal by number. `all` reaches every process of the container, and is no error when
 * its first process is gone already, as containerd expects.
 */
export function killContainer(rootPath: string, id: string, signal: number, all: boolean): void {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  // After a reboot a cgroup of that name is somebody else's.
  const cgroups = record.bootId === readBootId() ? record.cgroups : []
  // Without a cgroup nobody knows who else is of the container.
  if (all && record.cgroups.length > 0) signalCgroups(cgroups, signal)
  else signalProcess(directory, record, signal)
  // Paused, or frozen by itself in a cgroup below its own.
  if (signal === SIGKILL) thawKilled(cgroups)
}

function signalProcess(
  directory: ContainerDirectory,
  record: ContainerRecord,
  signal: number,
): void {
  const isStopped = readStatus(directory, record) === 'stopped'
  const pidfd = isStopped ? undefined : openContainerProcess(record)
  if (pidfd === undefined) throw new StateError('container not running')
  try {
    sendPidfdSignal(pidfd, signal)
  } finally {
    closeFd(pidfd)
  }
}
