/**
 * `uidMappings` and `gidMappings`, and what a user namespace changes for the other fields. Who may
 * map which ids, and who loses what: user_namespaces(7).
 */
import { CAPABILITIES } from '../../config/capabilities.ts'
import type { IdMapping } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { BecomeRoot, MapIds } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'

/** Of the container: a new one, one joined by path, or that of the runtime. */
export function userNamespaceOf({ spec, facts }: Planning): 'new' | 'joined' | 'inherited' {
  const entry = spec.linux?.namespaces?.find(({ type }) => type === 'user')
  if (entry === undefined) return 'inherited'
  if ((entry.path ?? '') === '') return 'new'
  // Joining the namespace that one is in is an error of the kernel's, and no wish of anybody's.
  const inode = facts.namespaces.get(entry.path ?? '')?.inode
  return inode === facts.ownNamespaces.user ? 'inherited' : 'joined'
}

export function hasUserNamespace(planning: Planning): boolean {
  return userNamespaceOf(planning) !== 'inherited'
}

/** No device nodes, no rights over what the host mounted: there is a user namespace, whosever. */
export function isUserNamespaced(planning: Planning): boolean {
  return hasUserNamespace(planning) || !planning.facts.userNamespace.isInitial
}

const PRIVILEGES = ['CAP_SYS_ADMIN', 'CAP_SETUID', 'CAP_SETGID'].map((name) =>
  BigInt(CAPABILITIES.indexOf(name)),
)

/** Whether the caller can make namespaces and map ids without a user namespace of its own. */
export function isPrivileged({ facts }: Planning): boolean {
  return PRIVILEGES.every((number) => ((facts.permittedCapabilities >> number) & 1n) === 1n)
}

/** Privileged over the machine itself, and not in a container only. */
export function isHostPrivileged(planning: Planning): boolean {
  return planning.facts.userNamespace.isInitial && isPrivileged(planning)
}

/**
 * Whether the runtime clones what is mounted: with a user namespace of its own the container's
 * process has lost the right to look into directories of others.
 */
export function isOpenedByRuntime(planning: Planning): boolean {
  const mount = planning.spec.linux?.namespaces?.find(({ type }) => type === 'mount')
  // What a joined mount namespace shows at the path, the runtime does not see.
  const isNew = mount !== undefined && (mount.path ?? '') === ''
  return isNew && hasUserNamespace(planning) && isPrivileged(planning)
}

/** The capabilities that the container's process has before it gives any up. */
export function capabilitiesOf(planning: Planning): { permitted: bigint; bounding: bigint } {
  const { permittedCapabilities, boundingCapabilities, lastCapability } = planning.facts
  const all = (1n << BigInt(lastCapability + 1)) - 1n
  // Who enters a user namespace gets all, in it.
  if (hasUserNamespace(planning)) return { permitted: all, bounding: all }
  return { permitted: permittedCapabilities, bounding: boundingCapabilities }
}

/** Whether setgroups(2) will be refused; of a joined namespace only the kernel knows. */
export function isSetgroupsDenied(planning: Planning): boolean {
  if (planning.facts.userNamespace.setgroups === 'deny') return true
  return userNamespaceOf(planning) === 'new' && howToMap(planning).setgroups === 'deny'
}

/** The id that the runtime's namespace knows a container's id by; undefined: it is not mapped. */
export function toHostId(mappings: readonly IdMapping[], id: number): number | undefined {
  const range = mappings.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  )
  return range && range.hostID + (id - range.containerID)
}

/** Owner of what is made while the container is built: 0, or the first id where 0 is nobody's. */
export function rootOf(mappings: readonly IdMapping[] = []): number {
  if (mappings.length === 0 || toHostId(mappings, 0) !== undefined) return 0
  return Math.min(...mappings.map(({ containerID }) => containerID))
}

/** crun's: rights that a user has on the host by a group stay, also where no id can name it. */
export function keepsGroups({ spec }: Planning): boolean {
  return spec.annotations?.['run.oci.keep_original_groups'] === '1'
}

/** As whom everything in the container is made, once the process is in its user namespace. */
export function becomeRoot(origin: Pointer, planning: Planning): BecomeRoot {
  const { uidMappings, gidMappings } = planning.spec.linux ?? {}
  return {
    kind: 'become-root',
    phase: 'user',
    origin,
    uid: rootOf(uidMappings),
    gid: rootOf(gidMappings),
    ...(keepsGroups(planning) && { keepsGroups: true }),
  }
}

export const uidMappings: Field<readonly IdMapping[]> = { plan: planMappings }

function planMappings(
  _configured: readonly IdMapping[],
  origin: Pointer,
  planning: Planning,
): Contribution {
  if (userNamespaceOf(planning) !== 'new') return {}
  const issues = [...checkOwnMapping(planning), ...checkUser(planning)]
  if (issues.length > 0) return { issues }
  const isStage = !isPrivileged(planning)
  return {
    steps: [
      {
        kind: 'map-ids',
        phase: isStage ? 'stage' : 'process',
        origin,
        process: isStage ? 'stage' : 'init',
        uidMappings: planning.spec.linux?.uidMappings ?? [],
        gidMappings: planning.spec.linux?.gidMappings ?? [],
        ...howToMap(planning),
      },
    ],
  }
}

/** Its own uid and gid anybody may map, at the price of setgroups(2); all else a helper does. */
function howToMap(planning: Planning): Pick<MapIds, 'setgroups' | 'helpers'> {
  const { idMapHelpers } = planning.facts
  if (isPrivileged(planning)) return { setgroups: planning.facts.userNamespace.setgroups }
  if (mapsOnlyItself(planning) || idMapHelpers === undefined) return { setgroups: 'deny' }
  return { setgroups: 'allow', helpers: idMapHelpers }
}

function mapsOnlyItself({ spec, facts }: Planning): boolean {
  const isOwn = (mappings: readonly IdMapping[] = [], id: number) =>
    mappings.length === 1 && mappings[0]?.hostID === id && mappings[0].size === 1
  return isOwn(spec.linux?.uidMappings, facts.uid) && isOwn(spec.linux?.gidMappings, facts.gid)
}

function checkOwnMapping(planning: Planning): Issue[] {
  if (isPrivileged(planning) || mapsOnlyItself(planning)) return []
  if (planning.facts.idMapHelpers !== undefined) return []
  const { uid, gid } = planning.facts
  const pointer = '/linux/uidMappings'
  return [
    {
      pointer,
      expected: 'what an unprivileged caller may map',
      message:
        `${pointer}: without newuidmap and newgidmap (package uidmap) an unprivileged caller maps` +
        ` its own uid ${uid} and gid ${gid} only, one id of each`,
    },
  ]
}

/** That the namespace knows the ids of the process: setresuid(2) would only say EINVAL. */
export function checkUser({ spec }: Planning): Issue[] {
  const { uid = 0, gid = 0, additionalGids = [] } = spec.process?.user ?? {}
  const ids = [
    ['/process/user/uid', 'uidMappings', uid],
    ['/process/user/gid', 'gidMappings', gid],
    ...additionalGids.map(
      (id, index) => [`/process/user/additionalGids/${index}`, 'gidMappings', id] as const,
    ),
  ] as const
  return ids.flatMap(([pointer, field, id]) =>
    toHostId(spec.linux?.[field] ?? [], id) === undefined
      ? [{ pointer, expected: `an id that /linux/${field} maps`, found: String(id) }]
      : [],
  )
}
