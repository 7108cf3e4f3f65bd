import { hasNamespace } from '../../config/checks/check.ts'
import type { Namespace } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { CloneInit, InitStep, NamespaceType } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { cgroupToCloneInto } from './cgroups-path.ts'
import { becomeRoot, hasUserNamespace, isPrivileged } from './user-namespace.ts'

export const namespaces: Field<readonly Namespace[]> = {
  plan: planNamespaces,
  absent: (at, planning) => planNamespaces([], at, planning),
}

/** A namespace that is not the runtime's: new, or another one joined by path. */
export function hasOwnNamespace(type: NamespaceType, planning: Planning): boolean {
  const namespace = planning.spec.linux?.namespaces?.find((entry) => entry.type === type)
  if (namespace === undefined) return false
  if (isNew(namespace)) return true
  const inode = planning.facts.namespaces.get(namespace.path ?? '')?.inode
  return inode !== planning.facts.ownNamespaces[type]
}

export function hasNewNamespace(type: NamespaceType, planning: Planning): boolean {
  const configured = planning.spec.linux?.namespaces ?? []
  return configured.some((namespace) => namespace.type === type && isNew(namespace))
}

/** It then has a tree of mounts that is in no namespace: see `leaveWithCopy` of lower. */
export function isInMountsOfRuntime({ spec }: Planning): boolean {
  return !hasNamespace(spec, 'mount')
}

function isNew({ path }: Pick<Namespace, 'path'>): boolean {
  return path === undefined || path === ''
}

function planNamespaces(
  configured: readonly Namespace[],
  at: Pointer,
  planning: Planning,
): Contribution {
  const issues = configured.flatMap((namespace, index) =>
    checkNamespace(namespace, `${at}/${index}`, planning),
  )
  const isBorrowed = isInMountsOfRuntime(planning)
  if (isBorrowed && hasUserNamespace(planning)) {
    const expected = 'an entry of type mount: who is in a user namespace may not mount without it'
    issues.push({ pointer: at, expected })
  }
  if (!hasUserNamespace(planning) && !isPrivileged(planning)) {
    const expected = 'an entry of type user: the caller has no privileges without it'
    issues.push({ pointer: at, expected })
  }
  if (issues.length > 0) return { issues }
  const userIndex = configured.findIndex(({ type }) => type === 'user')
  return {
    steps: [
      ...(isBorrowed
        ? [{ kind: 'hold-mount-namespace', phase: 'stage', origin: at } as const]
        : []),
      planClone(configured, at, planning),
      ...planJoins(configured, at, planning),
      ...planFirstSteps(configured, at, planning),
      ...(hasUserNamespace(planning) ? [becomeRoot(`${at}/${userIndex}`, planning)] : []),
    ],
  }
}

function checkNamespace(namespace: Namespace, at: Pointer, planning: Planning): Issue[] {
  const { type, path } = namespace
  if (isNew(namespace)) return []
  const found = planning.facts.namespaces.get(path ?? '')
  const pointer = `${at}/path`
  const expected = `the path of a namespace of type ${type}`
  if (found === undefined) return [{ pointer, expected, found: JSON.stringify(path) }]
  if (found.type !== type) return [{ pointer, expected, found: `one of type ${found.type}` }]
  if (type === 'mount' && found.inode === planning.facts.ownNamespaces.mount) {
    return [{ pointer, expected: "a mount namespace that is not the runtime's own" }]
  }
  return []
}

/** Beside v1 hierarchies a new cgroup namespace has to wait until init is in its v1 cgroups. */
function isUnsharedLater(type: NamespaceType, { facts }: Planning): boolean {
  return type === 'cgroup' && facts.cgroup.mode !== 'unified'
}

/** A time namespace is entered by the next child; a user namespace may have to come before all. */
function isUnsharedBefore(type: NamespaceType, planning: Planning): boolean {
  return type === 'time' || (type === 'user' && !isPrivileged(planning))
}

function planClone(
  configured: readonly Namespace[],
  origin: Pointer,
  planning: Planning,
): CloneInit {
  const made = configured.filter(
    (namespace) =>
      isNew(namespace) &&
      !isUnsharedLater(namespace.type, planning) &&
      !isUnsharedBefore(namespace.type, planning),
  )
  const borrowed = isInMountsOfRuntime(planning) ? (['mount'] as const) : []
  const intoCgroup = cgroupToCloneInto(planning)
  return {
    kind: 'clone-init',
    phase: 'clone',
    origin,
    // The mounts are made in one of their own in any case.
    namespaces: [...made.map(({ type }) => type), ...borrowed],
    ...(intoCgroup === undefined ? {} : { intoCgroup }),
  }
}

/**
 * Who has privileges keeps them until it is in the user namespace, which therefore comes last; who
 * has none gets them there. With one, all are joined before the clone.
 */
function planJoins(configured: readonly Namespace[], at: Pointer, planning: Planning): InitStep[] {
  const isUsers = hasUserNamespace(planning)
  const joins = configured.flatMap((namespace, index) => {
    const { type, path } = namespace
    if (path === undefined || path === '' || (type === 'user' && !isUsers)) return []
    const phase = type === 'pid' || isUsers ? 'stage' : 'namespaces'
    const origin = `${at}/${index}`
    return [{ kind: 'join-namespace', phase, origin, namespace: type, path } as const]
  })
  const user = isPrivileged(planning) ? 2 : -1
  const rank = (type: NamespaceType) => (type === 'user' ? user : Number(type === 'mount'))
  return joins.toSorted((a, b) => rank(a.namespace) - rank(b.namespace))
}

function planFirstSteps(
  configured: readonly Namespace[],
  at: Pointer,
  planning: Planning,
): InitStep[] {
  // The user namespace first: it then owns the others.
  const inOrder = configured
    .map((namespace, index) => ({ ...namespace, origin: `${at}/${index}` }))
    .toSorted((a, b) => Number(b.type === 'user') - Number(a.type === 'user'))
  return inOrder.flatMap(({ type, path, origin }): InitStep[] => {
    if (!isNew(path === undefined ? {} : { path })) return []
    if (isUnsharedLater(type, planning)) {
      return [{ kind: 'unshare-cgroup-namespace', phase: 'namespaces', origin }]
    }
    if (type === 'user' && isUnsharedBefore(type, planning)) return unshareUser(origin)
    if (type === 'time') return [{ kind: 'unshare-time-namespace', phase: 'stage', origin }]
    if (type === 'network') return [{ kind: 'raise-loopback', phase: 'network', origin }]
    return []
  })
}

/**
 * An unprivileged caller can write the maps of a dumpable process only. As long as it is dumpable,
 * the stage is in no namespace with anyone else, and in none of the container's.
 */
function unshareUser(origin: Pointer): InitStep[] {
  return [
    { kind: 'set-dumpable', phase: 'stage', origin, dumpable: true },
    { kind: 'unshare-user-namespace', phase: 'stage', origin },
    { kind: 'set-dumpable', phase: 'stage-end', origin, dumpable: false },
  ]
}
