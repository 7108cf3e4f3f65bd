/** What `update` has to know of limits that are in force. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerCgroup, LimitFacts } from './facts.ts'

const FILES = [
  'cpu.max',
  'memory.max',
  'memory.current',
  'memory.limit_in_bytes',
  'memory.usage_in_bytes',
]

/** `cgroups` are those that create made: they have one path in all hierarchies. */
export function lookAtLimits(
  cgroups: readonly Pick<ContainerCgroup, 'hierarchy' | 'path'>[],
): LimitFacts {
  const current = new Map<string, string>()
  for (const { hierarchy, path } of cgroups) {
    for (const file of FILES) {
      const text = readValue(join(hierarchy, path, file))
      if (text !== undefined) current.set(file, text)
    }
  }
  return { path: cgroups[0]?.path ?? '', current }
}

function readValue(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch {
    return undefined
  }
}
