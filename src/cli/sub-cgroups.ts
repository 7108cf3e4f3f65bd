/** `exec --cgroup`: paths below the container's cgroup, `[ctrl[,ctrl]:]path` as runc has it. */
import { UsageError } from '../errors.ts'

/** By controller; `''` stands for all hierarchies. */
export function parseSubCgroups(values: readonly string[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>()
  for (const value of values) {
    const split = value.indexOf(':')
    if (split < 0 && values.length > 1) {
      throw wrong(value, 'of several, each needs its controllers: ctrl[,ctrl]:path')
    }
    const path = checkPath(value, value.slice(split + 1))
    for (const name of split < 0 ? [''] : value.slice(0, split).split(',')) {
      if (split >= 0 && name === '') throw wrong(value, 'a controller has no name')
      if (paths.has(name)) throw wrong(value, `the controller ${name} has a path already`)
      paths.set(name, path)
    }
  }
  return paths
}

/** Nothing may lead out of the container's cgroup. */
function checkPath(value: string, path: string): string {
  const names = path.split('/').filter(Boolean)
  if (names.includes('..') || path.includes('\n')) {
    throw wrong(value, 'the path must stay below the cgroup of the container')
  }
  return names.filter((name) => name !== '.').join('/')
}

function wrong(value: string, why: string): UsageError {
  return new UsageError(`--cgroup ${JSON.stringify(value)}: ${why}`)
}
