/** Who lives in a cgroup, and what lies below it. */
import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordedCgroup } from '../../state/record.ts'
import { codeOf, isRemoved } from './files.ts'

/** The root of a hierarchy is everybody's: a record that names it is damaged. */
export function isContainers({ path }: RecordedCgroup): boolean {
  const names = path.split('/').filter(Boolean)
  return path.startsWith('/') && names.length > 0 && !names.includes('..') && !names.includes('.')
}

/**
 * The processes of a container. Throws when this process, or pid 1, is among them: then these are
 * not a container's cgroups, whatever the record says, and nobody there may be signalled.
 */
export function findMembers(cgroups: readonly RecordedCgroup[]): readonly number[] {
  const pids = findProcesses(cgroups.map(({ hierarchy, path }) => hierarchy + path))
  const stranger = pids.find((pid) => pid === process.pid || pid === 1)
  if (stranger === undefined) return pids
  throw new Error(
    `process ${stranger} is in the container's cgroup and not of it: none is signalled`,
  )
}

/** Pids of the processes in any of the directories or below, as this pid namespace has them. */
export function findProcesses(directories: readonly string[]): readonly number[] {
  const pids = directories.flatMap((directory) => listCgroups(directory).flatMap(readProcesses))
  return [...new Set(pids)].filter((pid) => pid > 0)
}

/** A cgroup directory and all below it, the deepest first; none when it is gone. */
export function listCgroups(directory: string): readonly string[] {
  let entries: Dirent[]
  try {
    entries = readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    // Anything else must not pass for an empty cgroup.
    if (isRemoved(error)) return []
    throw error
  }
  const children = entries.filter((entry) => entry.isDirectory())
  return [...children.flatMap(({ name }) => listCgroups(join(directory, name))), directory]
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
