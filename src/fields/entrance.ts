/** How a further process gets into a running container: its cgroups first, then its namespaces. */
import { join } from 'node:path/posix'
import type { Issue } from '../errors.ts'
import type { ContainerCgroup, ContainerFacts, ExecOptions, Facts } from '../host/facts.ts'
import type { CloneProcess, InitStep, JoinCgroup, NamespaceType } from '../plan/steps.ts'
import type { Contribution, Planning } from './field.ts'
import { becomeRoot, checkUser, isPrivileged } from './linux/user-namespace.ts'

/** Where a process shall be in one hierarchy. */
type Place = Pick<JoinCgroup, 'hierarchy' | 'path' | 'otherwise'>

export function planEntrance(
  planning: Planning,
  options: ExecOptions,
  container: ContainerFacts,
): Contribution {
  const { facts } = planning
  const issues = [...checkSubCgroups(options, facts, container), ...checkIds(planning)]
  if (issues.length > 0) return { issues }
  const origin = options.subCgroups.size > 0 ? '--cgroup' : ''
  const places = container.cgroups.map((cgroup) => choosePlace(cgroup, options, facts))
  const [only] = places
  // v2 alone: clone3 puts the process there at its birth. v1 knows nothing like that.
  const cloned = facts.cgroup.mode === 'unified' && places.length === 1 ? only : undefined
  const joins: readonly JoinCgroup[] = (cloned === undefined ? places : []).map((place) => ({
    kind: 'join-cgroup',
    phase: 'enter-cgroup',
    origin,
    ...place,
  }))
  const clone: CloneProcess = {
    kind: 'clone-process',
    phase: 'clone',
    origin,
    ...(cloned !== undefined && { intoCgroup: cloned.hierarchy + cloned.path }),
    ...(cloned?.otherwise !== undefined && {
      otherwiseCgroup: cloned.hierarchy + cloned.otherwise,
    }),
  }
  return { steps: [...joins, ...planJoins(planning, container), clone] }
}

/**
 * A pid namespace is entered by children alone: before the clone. The others only after it: who
 * has joined a cgroup namespace cannot put a child into what lies above its root (`nsdelegate`).
 */
export function planJoins(
  planning: Planning,
  { namespaces, root }: ContainerFacts,
): readonly InitStep[] {
  // Who has no privileges gets them in the container's user namespace, for the others.
  const early: readonly NamespaceType[] = isPrivileged(planning) ? ['pid'] : ['user', 'pid']
  const join = (phase: 'stage' | 'namespaces', isWanted: (type: NamespaceType) => boolean) =>
    ({
      kind: 'join-container',
      phase,
      origin: '',
      namespaces: namespaces.filter(isWanted),
    }) as const
  const before = join('stage', (type) => early.includes(type))
  const after = join('namespaces', (type) => !early.includes(type))
  return [
    ...(before.namespaces.length > 0 ? [before] : []),
    { ...after, ...(root !== undefined && { root }) },
    ...(namespaces.includes('user') ? [becomeRoot('', planning)] : []),
  ]
}

/** Of a namespace that was joined when the container was made, only the kernel knows. */
function checkIds(planning: Planning): Issue[] {
  const { uidMappings = [] } = planning.spec.linux ?? {}
  return uidMappings.length === 0 ? [] : checkUser(planning)
}

function choosePlace(
  { hierarchy, path, version, pathOfInit }: ContainerCgroup,
  { subCgroups }: ExecOptions,
  facts: Facts,
): Place {
  const controllers = version === 1 ? controllersAt(hierarchy, facts) : []
  const named = controllers.find((name) => subCgroups.has(name))
  const sub = subCgroups.get(named ?? '')
  if (sub !== undefined) return { hierarchy, path: join(path, sub) }
  return { hierarchy, path, ...(pathOfInit !== undefined && { otherwise: pathOfInit }) }
}

function controllersAt(hierarchy: string, { cgroup }: Facts): readonly string[] {
  return cgroup.v1.find(({ mountpoint }) => mountpoint === hierarchy)?.controllers ?? []
}

function checkSubCgroups(
  { subCgroups }: ExecOptions,
  facts: Facts,
  { cgroups }: ContainerFacts,
): Issue[] {
  const known = cgroups.flatMap(({ hierarchy }) => controllersAt(hierarchy, facts))
  return [...subCgroups.keys()].flatMap((name) => {
    if (name === '' || known.includes(name)) return []
    const which = known.length === 0 ? 'cgroup v2 takes a path alone' : `found ${known.join(', ')}`
    const message = `--cgroup: the container has no v1 controller ${JSON.stringify(name)}: ${which}`
    return [{ pointer: '--cgroup', expected: 'a v1 controller of the container', message }]
  })
}
