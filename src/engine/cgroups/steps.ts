/** The effects of the cgroup steps of a plan, before and while the container's process waits. */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { StepError } from '../../errors.ts'
import type { JoinCgroup, MakeCgroup, WriteCgroupFile } from '../../plan/steps.ts'
import { findProcesses } from './processes.ts'

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
export function checkUnused(step: MakeCgroup): void {
  const count = findProcesses([step.hierarchy + step.path]).length
  if (count === 0) return
  throw new StepError(
    step.origin,
    `container's cgroup is not empty: ${count} process(es) found in ${step.hierarchy + step.path}`,
  )
}

/** Makes what is missing; a directory that another container made meanwhile is as good. */
export function makeCgroup(step: MakeCgroup): void {
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
    if (codeOf(error) !== 'EEXIST') throw explain(error, `mkdir(${JSON.stringify(directory)})`)
  }
}

/** A v1 cpuset takes no process before it has cpus and mems. */
function inheritFile(parent: string, directory: string, file: string): void {
  if (readFileSync(join(directory, file), 'latin1').trim() !== '') return
  writeFile(join(directory, file), readFileSync(join(parent, file), 'latin1').trim())
}

/** Only what is not enabled yet: a write that changes nothing may still be refused. */
function enableControllers(parent: string, wanted: readonly string[]): void {
  if (wanted.length === 0) return
  const file = join(parent, 'cgroup.subtree_control')
  const enabled = new Set(readFileSync(file, 'latin1').split(/\s+/))
  const available = new Set(readFileSync(join(parent, 'cgroup.controllers'), 'latin1').split(/\s+/))
  const missing = wanted.filter((name) => !enabled.has(name) && available.has(name))
  if (missing.length === 0) return
  try {
    writeFile(file, missing.map((name) => `+${name}`).join(' '))
  } catch (error) {
    if (!String(error).includes('EBUSY')) throw error
    throw new Error(
      `${error instanceof Error ? error.message : String(error)} (hint: processes live in` +
        ` ${parent} itself, and cgroup v2 takes either processes or controllers for children)`,
    )
  }
}

/** Writes a value; a file that is missing goes by the step's `missing`. */
export function writeCgroupFile(step: WriteCgroupFile): void {
  const directory = step.hierarchy + step.path
  try {
    writeFile(join(directory, step.file), step.value)
  } catch (error) {
    const isMissing = String(error).includes('ENOENT')
    if (!isMissing) throw withHint(error, step.hint)
    if (step.missing === 'skip') return
    if (step.missing === undefined) throw withHint(error, step.hint)
    writeFile(join(directory, step.missing.file), step.missing.value)
  }
}

/** Puts a process into the cgroup. */
export function joinCgroup(step: JoinCgroup, pid: number): void {
  writeFile(`${step.hierarchy + step.path}/cgroup.procs`, String(pid))
}

/** One write(2), as cgroup files want it, without creating anything. */
export function writeFile(path: string, value: string): void {
  const call = `write(${JSON.stringify(path)}, ${JSON.stringify(value)})`
  let fd: number
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  } catch (error) {
    throw explain(error, call)
  }
  try {
    writeSync(fd, value)
  } catch (error) {
    throw explain(error, call)
  } finally {
    closeSync(fd)
  }
}

function explain(error: unknown, call: string): Error {
  return new Error(`${call}: ${codeOf(error)}`, { cause: error })
}

function withHint(error: unknown, hint: string | undefined): unknown {
  if (hint === undefined || !(error instanceof Error)) return error
  return new Error(`${error.message} (hint: ${hint})`, { cause: error })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
