/** The files in which the kernel counts, of all cgroups of one container. */
import { readdirSync, readFileSync } from 'node:fs'
import type { RecordedCgroup } from '../../state/record.ts'
import { isRemoved } from '../cgroups/files.ts'

/** Unlimited, where cgroup v2 says `max`. */
export const MOST = 0xffff_ffff_ffff_ffffn

/** The files of one version's cgroups by name: no two hierarchies of a version share a name. */
export interface Counters {
  readonly names: readonly string[]
  /** Undefined where there is no such file. */
  readonly text: (name: string) => string | undefined
  /** One number, `max` as MOST; 0 where there is no such file. */
  readonly number: (name: string) => bigint
  /** Lines of a name and a number. */
  readonly table: (name: string) => ReadonlyMap<string, bigint>
}

/** Lists the directories once; a cgroup that is gone has no files. */
export function openCounters(cgroups: readonly RecordedCgroup[], version: 1 | 2): Counters {
  const paths = new Map<string, string>()
  for (const cgroup of cgroups.filter((one) => one.version === version)) {
    const directory = cgroup.hierarchy + cgroup.path
    for (const name of listFiles(directory)) {
      if (!paths.has(name)) paths.set(name, `${directory}/${name}`)
    }
  }
  const text = (name: string) => readCounter(paths.get(name))
  return {
    names: [...paths.keys()],
    text,
    number: (name) => parseNumber(text(name)?.trim()),
    table: (name) => parseTable(text(name) ?? ''),
  }
}

function listFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isRemoved(error)) return []
    throw error
  }
}

/** Some cannot be read on some kernels (EOPNOTSUPP: cpu.pressure without PSI). */
function readCounter(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function parseNumber(text: string | undefined): bigint {
  if (text === 'max') return MOST
  return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : 0n
}

function parseTable(text: string): ReadonlyMap<string, bigint> {
  const rows = text.split('\n').map((line) => line.split(' '))
  return new Map(rows.filter(([, value]) => value).map(([name = '', v]) => [name, parseNumber(v)]))
}
