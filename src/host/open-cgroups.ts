/**
 * Where a caller who is not the machine's root may make cgroups: in what was delegated to it, by
 * systemd's user manager or by chown, or nowhere.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { posix } from 'node:path'
import { CGROUP_HOME } from '../plan/cgroup-home.ts'
import type { CgroupFacts, CgroupHierarchy } from './facts.ts'

/**
 * `configured` is cgroupsPath, or the container's id, or absent: it is to have no cgroup, and all is
 * closed. `ownCgroups` is /proc/PID/cgroup of the caller.
 */
export function markClosed(
  facts: CgroupFacts,
  configured: string | undefined,
  ownCgroups: string,
  readControllers: (directory: string) => string,
): CgroupFacts {
  const own = parseOwn(ownCgroups)
  const home = findHome(facts, own)
  const isWhole = configured === undefined || configured.startsWith('/')
  const path = isWhole ? configured : `${home}/${configured}`
  const mark = (hierarchy: CgroupHierarchy): CgroupHierarchy => {
    const nearest = path === undefined ? undefined : findNearest(hierarchy.mountpoint, path)
    if (nearest !== undefined && isWritable(nearest)) {
      if (hierarchy !== facts.v2) return hierarchy
      // Above it nothing can be enabled: what it does not have, the container cannot have.
      const controllers = readControllers(nearest).split(/\s+/).filter(Boolean)
      return { ...hierarchy, controllers }
    }
    const shown = own(hierarchy, hierarchy === facts.v2)
    return { ...hierarchy, closed: existsSync(hierarchy.mountpoint + shown) ? shown : '/' }
  }
  return {
    mode: facts.mode,
    v1: facts.v1.map(mark),
    ...(facts.v2 !== undefined && { v2: mark(facts.v2) }),
    home,
  }
}

type FindOwn = (hierarchy: CgroupHierarchy, isV2: boolean) => string

/** Lines are `id:controllers:path`; of v2 the id is 0 and there are no controllers. */
function parseOwn(text: string): FindOwn {
  const lines = text.split('\n').map((line) => /^(\d+):([^:]*):(.*)$/.exec(line) ?? [])
  return ({ controllers }, isV2) => {
    const found = lines.find(([, id, names = '']) =>
      isV2 ? id === '0' : names.split(',').some((name) => controllers.includes(name)),
    )
    return found?.[3] ?? '/'
  }
}

/** Beside the caller's own on v2: a cgroup with processes cannot have children with controllers. */
function findHome({ mode, v2 }: CgroupFacts, own: FindOwn): string {
  if (mode !== 'unified' || v2 === undefined) return CGROUP_HOME
  return posix.join(posix.dirname(own(v2, true)), CGROUP_HOME)
}

/** The directory that the first new one would be made in; or the cgroup itself, if it is there. */
function findNearest(mountpoint: string, path: string): string {
  let at = posix.normalize(path)
  while (at !== '/' && !existsSync(mountpoint + at)) at = posix.dirname(at)
  return posix.join(mountpoint, at)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
