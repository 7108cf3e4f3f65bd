/** Groups of resctrl (Documentation/filesystems/resctrl.rst); untested on hardware that has it. */
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SyscallError } from '../errors.ts'
import type { JoinResctrlGroup, MakeResctrlGroup } from '../plan/steps.ts'
import { codeOf, writeCgroup } from './cgroups/files.ts'

export function makeResctrlGroup({ path, sharing, schemata }: MakeResctrlGroup): void {
  if (sharing === 'given') {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
    const hint = 'a closID without schemata names a group that is there'
    throw new SyscallError('stat', `stat(${JSON.stringify(path)})`, 'ENOENT', hint)
  }
  const isNew = makeDirectory(path)
  if (!isNew && sharing === 'shared') checkSchemata(path, schemata)
  // One line at a time: a refused one is named, and the kernel says why in info/last_cmd_status.
  else for (const line of schemata) writeCgroup(join(path, 'schemata'), `${line}\n`)
}

function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, 0o755)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return false
    const hint = code === 'ENOSPC' ? 'the processor has no class of service left' : undefined
    throw new SyscallError('mkdir', `mkdir(${JSON.stringify(path)})`, code, hint)
  }
}

/** Each domain of each line must be what the group has already; others may use it. */
function checkSchemata(path: string, schemata: readonly string[]): void {
  const present = parseSchemata(readFileSync(join(path, 'schemata'), 'latin1').split('\n'))
  for (const [domain, value] of parseSchemata(schemata)) {
    if (present.get(domain) === value) continue
    const found = present.get(domain) ?? 'nothing'
    throw new Error(`${path}/schemata has ${found} for ${domain}, the config ${value}`)
  }
}

/** `L3:0=f;1=0f` → `L3:0` is `f`, `L3:1` is `f`. */
function parseSchemata(lines: readonly string[]): ReadonlyMap<string, string> {
  const domains = lines.flatMap((line) => {
    const [resource = '', list = ''] = line.trim().split(':', 2)
    return list.split(';').flatMap((entry): [string, string][] => {
      const [domain = '', value] = entry.split('=', 2)
      return value === undefined
        ? []
        : [
            [
              `${resource.trim()}:${domain.trim()}`,
              value
                .trim()
                .toLowerCase()
                .replace(/^0+(?=.)/, ''),
            ],
          ]
    })
  })
  return new Map(domains)
}

export function joinResctrlGroup({ path }: JoinResctrlGroup, pid: number): void {
  writeCgroup(join(path, 'tasks'), String(pid))
}

/** The deepest first; what is gone is fine. */
export function removeResctrlGroups(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      rmdirSync(path)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'ENOENT') throw new SyscallError('rmdir', `rmdir(${JSON.stringify(path)})`, code)
    }
  }
}
