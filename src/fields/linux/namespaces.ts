import type { Namespace } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { CloneInit, InitStep, NamespaceType } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { notYet } from '../walk.ts'
import { cgroupToCloneInto } from './cgroups-path.ts'

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

function isNew({ path }: Namespace): boolean {
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
  if (!configured.some(({ type }) => type === 'mount')) {
    issues.push({ pointer: at, expected: 'an entry of type mount: a mount namespace is needed' })
  }
  if (issues.length > 0) return { issues }
  return {
    steps: [
      planClone(configured, at, planning),
      ...planJoins(configured, at),
      ...planFirstSteps(configured, at, planning),
    ],
  }
}

function checkNamespace(namespace: Namespace, at: Pointer, planning: Planning): Issue[] {
  const { type, path } = namespace
  if (type === 'user' || type === 'time') return [notYet(at, `${type} namespaces`)]
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

function planClone(
  configured: readonly Namespace[],
  origin: Pointer,
  planning: Planning,
): CloneInit {
  const made = configured.filter(
    (namespace) => isNew(namespace) && !isUnsharedLater(namespace.type, planning),
  )
  const intoCgroup = cgroupToCloneInto(planning)
  return {
    kind: 'clone-init',
    phase: 'clone',
    origin,
    namespaces: made.map(({ type }) => type),
    ...(intoCgroup === undefined ? {} : { intoCgroup }),
  }
}

/** mount last: the other paths are the runtime's, and may not exist in that namespace. */
function planJoins(configured: readonly Namespace[], at: Pointer): InitStep[] {
  const joins = configured.flatMap((namespace, index) => {
    const { type, path } = namespace
    if (path === undefined || path === '') return []
    const phase = type === 'pid' ? 'stage' : 'namespaces'
    const origin = `${at}/${index}`
    return [{ kind: 'join-namespace', phase, origin, namespace: type, path } as const]
  })
  return joins.toSorted((a, b) => Number(a.namespace === 'mount') - Number(b.namespace === 'mount'))
}

function planFirstSteps(
  configured: readonly Namespace[],
  at: Pointer,
  planning: Planning,
): InitStep[] {
  return configured.flatMap((namespace, index): InitStep[] => {
    const origin = `${at}/${index}`
    if (!isNew(namespace)) return []
    if (isUnsharedLater(namespace.type, planning)) {
      return [{ kind: 'unshare-cgroup-namespace', phase: 'namespaces', origin }]
    }
    if (namespace.type === 'network') return [{ kind: 'raise-loopback', phase: 'network', origin }]
    return []
  })
}
