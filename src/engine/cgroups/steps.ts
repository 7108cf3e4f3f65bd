/** The effects of the cgroup steps of a plan, before and while the container's process waits. */
import { chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StepError, SyscallError } from '../../errors.ts'
import type {
  JoinCgroup,
  MakeCgroup,
  OwnCgroup,
  StartUnit,
  WriteCgroupFile,
} from '../../plan/steps.ts'
import { codeOf, isRemoved, writeCgroup } from './files.ts'
import { findProcesses } from './processes.ts'

/** Each attempt loses only to a `delete` that ends in the same moment. */
const MAKE_ATTEMPTS = 20

/** `/a`, `/a/b`, `/a/b/c` for `/a/b/c`. */
export function directoriesOf(path: string): readonly string[] {
  const names = path.split('/').filter(Boolean)
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
}

/** The directories of the step's path that are not there yet, the highest first. */
export function findMissing(step: MakeCgroup): readonly string[] {
  return directoriesOf(step.path).filter((path) => !existsSync(step.hierarchy + path))
}

/**
 * Refuses a cgroup that others live in: its limits would be theirs, and `delete` would kill them.
 * To be asked before anything is recorded.
 */
export function checkUnused(step: MakeCgroup | StartUnit): void {
  const count = findProcesses([step.hierarchy + step.path]).length
  if (count === 0) return
  throw new StepError(
    step.origin,
    `container's cgroup is not empty: ${count} process(es) found in ${step.hierarchy + step.path}`,
  )
}

/**
 * Makes what is missing; a directory that another container made meanwhile is as good. One that
 * `delete` of another container found empty and removed meanwhile is made again.
 */
export function makeCgroup(step: MakeCgroup): void {
  for (let attempt = 1; ; attempt++) {
    try {
      makeDirectories(step)
      return
    } catch (error) {
      if (!isRemoved(error) || attempt === MAKE_ATTEMPTS) throw error
    }
  }
}

function makeDirectories(step: MakeCgroup): void {
  let parent = step.hierarchy
  for (const path of directoriesOf(step.path)) {
    enableControllers(parent, step.enable)
    const directory = step.hierarchy + path
    makeDirectory(directory)
    for (const file of step.inherit) inheritFile(parent, directory, file)
    parent = directory
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, 0o755)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return
    throw new SyscallError('mkdir', `mkdir(${JSON.stringify(directory)})`, code)
  }
}

/** A v1 cpuset takes no process before it has cpus and mems. */
function inheritFile(parent: string, directory: string, file: string): void {
  if (readFileSync(join(directory, file), 'latin1').trim() !== '') return
  writeCgroup(join(directory, file), readFileSync(join(parent, file), 'latin1').trim())
}

/** Only what is not enabled yet: a write that changes nothing may still be refused. */
function enableControllers(parent: string, wanted: readonly string[]): void {
  if (wanted.length === 0) return
  const file = join(parent, 'cgroup.subtree_control')
  const enabled = new Set(readFileSync(file, 'latin1').split(/\s+/))
  const available = new Set(readFileSync(join(parent, 'cgroup.controllers'), 'latin1').split(/\s+/))
  const missing = wanted.filter((name) => !enabled.has(name) && available.has(name))
  if (missing.length > 0) writeCgroup(file, missing.map((name) => `+${name}`).join(' '))
}

/** Writes a value; a file that is missing goes by the step's `missing`. */
export function writeCgroupFile(step: WriteCgroupFile): void {
  const directory = step.hierarchy + step.path
  try {
    writeCgroup(join(directory, step.file), step.value, step.hint)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || step.missing === undefined) throw error
    if (step.missing === 'skip') return
    writeCgroup(join(directory, step.missing.file), step.missing.value)
  }
}

/** Puts a process into the cgroup; where that takes none, into the step's other one. */
export function joinCgroup(step: JoinCgroup, pid: number): void {
  const join = (path: string) => writeCgroup(`${step.hierarchy + path}/cgroup.procs`, String(pid))
  try {
    join(step.path)
  } catch (error) {
    if (codeOf(error) !== 'EBUSY' || step.otherwise === undefined) throw error
    join(step.otherwise)
  }
}

/** Linux ≥ 4.15 lists what may be given away; without the list these can. cgroups(7). */
const DELEGATED = 'cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n'

/** The directory and those of its files that a delegate needs; limits stay the host's. */
export function ownCgroup({ hierarchy, path, uid }: OwnCgroup): void {
  const list = '/sys/kernel/cgroup/delegate'
  const names = existsSync(list) ? readFileSync(list, 'latin1') : DELEGATED
  const directory = hierarchy + path
  for (const name of ['.', ...names.split('\n').filter(Boolean)]) {
    const file = join(directory, name)
    // Which of them there are depends on the controllers that are enabled.
    if (existsSync(file)) chownSync(file, uid, statSync(file).gid)
  }
}
