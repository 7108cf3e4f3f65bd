/** `ps`: the processes of a container, whoever started them. */
import { openContainer, openRoot, readRecord } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { readBootId } from '../sys/proc.ts'
import { findMembers, isContainers } from './cgroups/processes.ts'
import { openContainerProcess } from './container-process.ts'

/** Pids in all cgroups of the container, ascending, as this pid namespace has them. */
export function listContainerProcesses(rootPath: string, id: string): readonly number[] {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  if (record.bootId !== readBootId()) return []
  const cgroups = record.cgroups.filter(isContainers)
  if (cgroups.length > 0) return findMembers(cgroups).toSorted((a, b) => a - b)
  // Without cgroups of its own, only its first process is known to be the container's.
  const pidfd = openContainerProcess(record)
  if (pidfd === undefined) return []
  closeFd(pidfd)
  return [record.pid]
}
