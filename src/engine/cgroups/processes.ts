/** Who lives in a cgroup and below it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordedCgroup } from '../../state/record.ts'
import { parentPid } from '../parent.ts'
import { codeOf, isRemoved } from './files.ts'
import { walkCgroups } from './walk.ts'

/** The root of a hierarchy is everybody's: a record that names it is damaged. */
export function isContainers({ path }: RecordedCgroup): boolean {
  const names = path.split('/').filter(Boolean)
  return path.startsWith('/') && names.length > 0 && !names.includes('..') && !names.includes('.')
}

/**
 * The processes of a container. Throws when this process, its caller's, or pid 1 is among them: then
 * these are not a container's cgroups, whatever the record says, and nobody there may be signalled.
 */
export function findMembers(cgroups: readonly RecordedCgroup[]): readonly number[] {
  const pids = findProcesses(cgroups.map(({ hierarchy, path }) => hierarchy + path))
  const stranger = pids.find((pid) => [1, process.pid, parentPid()].includes(pid))
  if (stranger === undefined) return pids
  throw new Error(
    `process ${stranger} is in the container's cgroup and not of it: none is signalled`,
  )
}

/** Pids of the processes in any of the directories or below, as this pid namespace has them. */
export function findProcesses(directories: readonly string[]): readonly number[] {
  const pids = new Set<number>()
  const enter = (cgroup: string) => {
    for (const pid of readProcesses(cgroup)) if (pid > 0) pids.add(pid)
  }
  for (const directory of directories) walkCgroups(directory, { enter })
  return [...pids]
}

function readProcesses(directory: string): readonly number[] {
  try {
    const text = readFileSync(join(directory, 'cgroup.procs'), 'latin1')
    return text.split('\n').filter(Boolean).map(Number)
  } catch (error) {
    // EOPNOTSUPP: a threaded v2 cgroup, whose root lists the processes.
    if (isRemoved(error) || codeOf(error) === 'EOPNOTSUPP') return []
    throw error
  }
}
