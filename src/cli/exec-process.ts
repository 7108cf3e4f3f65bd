/** The process that `exec` shall run: the container's own with changes. */
import { CAPABILITIES } from '../config/capabilities.ts'
import type { LoadedProcess } from '../config/load.ts'
import { findNearest } from '../config/nearest.ts'
import type { Capabilities, Process, User } from '../config/spec.ts'
import { type Issue, SpecError, UsageError } from '../errors.ts'
import { type Flags, isSet, listFlag, textFlag } from './command.ts'
import { parseId } from './numbers.ts'

/** Throws UsageError; `own` is the container's process. */
export function changeProcess(own: Process, words: readonly string[], flags: Flags): LoadedProcess {
  if (words.length === 0) throw new UsageError('exec needs a program to run, or --process FILE')
  if (words[0] === '') throw new UsageError('exec: the name of the program is empty')
  const cwd = textFlag(flags, 'cwd') || own.cwd
  if (!cwd.startsWith('/')) {
    throw new UsageError(`--cwd must be an absolute path, found ${JSON.stringify(cwd)}`)
  }
  const { apparmor, processLabel } = flags
  const process: Process = {
    ...own,
    args: words,
    cwd,
    terminal: isSet(flags, 'tty'),
    env: [...(own.env ?? []), ...listFlag(flags, 'env').map(checkVariable)],
    user: chooseUser(own.user ?? {}, flags),
    capabilities: addCapabilities(own.capabilities ?? {}, listFlag(flags, 'cap')),
    // commander's `--no-…` flags default to true.
    ...(flags.newPrivs === false && { noNewPrivileges: true }),
    ...(typeof apparmor === 'string' && apparmor !== '' && { apparmorProfile: apparmor }),
    ...(typeof processLabel === 'string' && processLabel !== '' && { selinuxLabel: processLabel }),
  }
  const refuse = (issues: readonly Issue[]) => new SpecError('the process', issues)
  return { process, ignored: [], warnings: [], refuse }
}

function checkVariable(entry: string): string {
  if (entry.indexOf('=') > 0) return entry
  throw new UsageError(`--env must be NAME=VALUE, found ${JSON.stringify(entry)}`)
}

/** `UID[:GID]`: digits to the end, never a name to look up (CVE-2016-3697, CVE-2026-30892). */
function chooseUser(own: User, flags: Flags): User {
  const text = textFlag(flags, 'user') ?? ''
  const [uid, gid] = text === '' ? [] : parseUser(text)
  const more = listFlag(flags, 'additionalGids').map((text) => parseId('--additional-gids', text))
  return {
    ...own,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    additionalGids: [...(own.additionalGids ?? []), ...more],
  }
}

function parseUser(text: string): readonly number[] {
  const ids = text.split(':')
  if (ids.length <= 2) return ids.map((id) => parseId('--user', id))
  throw new UsageError(`--user must be UID[:GID], found ${JSON.stringify(text)}`)
}

/** Never to inheritable or ambient, which would outlive an execve (CVE-2022-29162). */
function addCapabilities(own: Capabilities, names: readonly string[]): Capabilities {
  for (const name of names) checkCapability(name)
  const add = (set: readonly string[] = []) => [...new Set([...set, ...names])]
  const { bounding, effective, permitted } = own
  return {
    ...own,
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
  }
}

function checkCapability(name: string): void {
  if (CAPABILITIES.includes(name)) return
  const nearest = findNearest(name, CAPABILITIES)
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  throw new UsageError(`--cap: no such capability: ${JSON.stringify(name)}${hint}`)
}
