import type { Resources } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { CgroupFacts, CgroupHierarchy } from '../../host/facts.ts'
import { CGROUP_HOME } from '../../plan/cgroup-home.ts'
import type { JoinCgroup, MakeCgroup } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { merge } from '../walk.ts'
import { innerPathOf, planDelegation } from './delegation.ts'
import { planUnit, unitCgroupOf } from './systemd/unit.ts'

/**
 * Path of the container's cgroup below each hierarchy's mount point. Never below the caller's own
 * cgroup, which belongs to whoever supervises the caller. Without --systemd-cgroup a path of the
 * form `slice:prefix:name` is a relative path like any other, as runc has it.
 */
export function cgroupPathOf(planning: Planning): string {
  if (planning.limits !== undefined) return planning.limits.path
  const configured = planning.spec.linux?.cgroupsPath ?? ''
  if (planning.options.systemdCgroup) return unitCgroupOf(configured, planning)
  if (configured.startsWith('/')) return configured
  return `${planning.facts.cgroup.home ?? CGROUP_HOME}/${configured === '' ? planning.options.id : configured}`
}

/** v2 alone: the directory that the container's process is cloned into. In a unit the stage is. */
export function cgroupToCloneInto(planning: Planning): string | undefined {
  if (planning.options.systemdCgroup || planning.options.withoutCgroup) return undefined
  const { mode } = planning.facts.cgroup
  const { v2 } = openHierarchies(planning)
  if (mode !== 'unified' || v2 === undefined) return undefined
  return v2.mountpoint + cgroupPathOf(planning) + innerPathOf(planning)
}

/** Those that the container gets a cgroup in. In the others it stays in the caller's. */
export function openHierarchies({ facts, options }: Planning): Pick<CgroupFacts, 'v1' | 'v2'> {
  const { v1, v2 } = facts.cgroup
  // A unit is made by the caller's service manager, in what is delegated to that.
  if (options.systemdCgroup && v2 !== undefined) return { v1, v2 }
  return {
    v1: v1.filter(({ closed }) => closed === undefined),
    ...(v2 !== undefined && v2.closed === undefined && { v2 }),
  }
}

/** Must be planned before the resources: their files lie in the directories made here. */
export const cgroupsPath: Field<string> = { plan: planCgroups, absent: planDefaultCgroups }

function planDefaultCgroups(at: Pointer, planning: Planning): Contribution {
  return planCgroups('', at, planning)
}

function planCgroups(configured: string, at: Pointer, planning: Planning): Contribution {
  if (planning.options.withoutCgroup) return {}
  const place = planning.options.systemdCgroup ? planUnit : planDirectories
  return merge([place(configured, at, planning), planDelegation(at, planning)])
}

function planDirectories(configured: string, at: Pointer, planning: Planning): Contribution {
  const issues = configured === '' ? [] : checkPath(configured, at)
  if (issues.length > 0) return { issues }
  const path = cgroupPathOf(planning)
  const { mode } = planning.facts.cgroup
  const { v1, v2 } = openHierarchies(planning)
  if (configured !== '' && v1.length === 0 && v2 === undefined) {
    const expected = 'no path: the caller may make no cgroup there'
    return { issues: [{ pointer: at, expected, found: JSON.stringify(configured) }] }
  }
  const make: MakeCgroup[] = []
  const join: JoinCgroup[] = []
  const joins = mode !== 'unified'
  for (const hierarchy of v2 === undefined ? v1 : [...v1, v2]) {
    make.push(makeCgroup(hierarchy, hierarchy === v2, path, at, planning))
    if (joins) {
      const { mountpoint } = hierarchy
      join.push({ kind: 'join-cgroup', phase: 'process', origin: at, hierarchy: mountpoint, path })
    }
  }
  return { steps: [...make, ...join] }
}

function makeCgroup(
  hierarchy: CgroupHierarchy,
  isV2: boolean,
  path: string,
  origin: Pointer,
  planning: Planning,
): MakeCgroup {
  return {
    kind: 'make-cgroup',
    phase: 'cgroup',
    origin,
    hierarchy: hierarchy.mountpoint,
    path,
    // A v1 cpuset without cpus and mems takes no process, and a new one has none.
    inherit:
      !isV2 && hierarchy.controllers.includes('cpuset') ? ['cpuset.cpus', 'cpuset.mems'] : [],
    enable: isV2 ? controllersToEnable(hierarchy, planning) : [],
  }
}

/**
 * On a unified host all there are, as runc does: engines read statistics of each. Beside v1 only
 * those that the config limits, since enabling them changes the host's root cgroup.
 */
function controllersToEnable(v2: CgroupHierarchy, planning: Planning): readonly string[] {
  if (planning.facts.cgroup.mode === 'unified') return v2.controllers
  const resources = planning.spec.linux?.resources ?? {}
  const limited = LIMITED_BY.filter(([field]) => resources[field] !== undefined)
  const names = new Set(limited.map(([, name]) => name))
  return v2.controllers.filter((name) => names.has(name))
}

const LIMITED_BY: readonly (readonly [keyof Resources, string])[] = [
  ['memory', 'memory'],
  ['cpu', 'cpu'],
  ['cpu', 'cpuset'],
  ['pids', 'pids'],
  ['blockIO', 'io'],
  ['hugepageLimits', 'hugetlb'],
  ['rdma', 'rdma'],
]

/** `..` would leave the hierarchy; the kernel refuses line feeds in names of cgroups. */
function checkPath(path: string, pointer: Pointer): Issue[] {
  const found = JSON.stringify(path)
  const components = path.replace(/^\//, '').split('/')
  if (components.includes('')) {
    return [{ pointer, expected: 'a path without empty components', found }]
  }
  if (components.includes('..') || components.includes('.')) {
    return [{ pointer, expected: 'a path without . and .. components', found }]
  }
  if (path.includes('\n')) {
    return [{ pointer, expected: 'a path without line feeds', found }]
  }
  if (components.some((component) => Buffer.byteLength(component) > 255)) {
    return [{ pointer, expected: 'components of at most 255 bytes', found }]
  }
  return []
}
