/** The process of `exec --process FILE`. Loaded for that alone: the validators take their time. */
import { type LoadedProcess, loadProcess } from '../config/load.ts'
import type { Process } from '../config/spec.ts'
import { UsageError } from '../errors.ts'
import { type Flags, listFlag, textFlag } from './command.ts'

/** Flags that change the container's own process: a file says everything itself. */
const CHANGES = ['cwd', 'env', 'user', 'additionalGids', 'cap', 'apparmor', 'processLabel'] as const

/** Throws UsageError or SpecError; `own` is the container's process. */
export function readProcess(
  own: Process,
  file: string,
  words: readonly string[],
  flags: Flags,
): LoadedProcess {
  if (words.length > 0) {
    throw new UsageError(`--process names the program: ${JSON.stringify(words[0])} is one too many`)
  }
  const loaded = loadProcess(file)
  const unused = CHANGES.filter(
    (name) => (textFlag(flags, name) ?? listFlag(flags, name)).length > 0,
  )
  return {
    ...loaded,
    process: inheritFrom(own, loaded.process),
    warnings: [
      ...loaded.warnings,
      ...unused.map((name) => `--${toFlag(name)} has no effect with --process`),
    ],
  }
}

/**
 * What the file leaves out is as in the container, and never more: no capability beyond its
 * bounding set (CVE-2025-27612), its limits, its LSM profiles, its no_new_privs.
 */
function inheritFrom(own: Process, process: Process): Process {
  const { args, env, terminal, consoleSize, user, cwd, ...rest } = own
  const umask = process.user?.umask ?? user?.umask
  return {
    ...rest,
    ...process,
    user: { ...process.user, ...(umask !== undefined && { umask }) },
  }
}

function toFlag(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
