/**
 * `idmap`, `ridmap`, and a mount's own `uidMappings` and `gidMappings`: whose ids it shows. Two
 * forms of the option are crun's: `idmap=uids=C-H-N#C-H-N;gids=C-H-N`, where the first number is
 * what the files have, and `@C-H-N`, where the second is an id of the container's.
 */
import type { IdMapping, Spec } from '../../config/spec.ts'
import type { Issue } from '../../errors.ts'
import type { MountIdmap } from '../../plan/steps.ts'
import type { Planning } from '../field.ts'
import {
  hasUserNamespace,
  isPrivileged,
  toHostId,
  userNamespaceOf,
} from '../linux/user-namespace.ts'
import type { MountRequest } from './mount-request.ts'

type Result = { readonly idmap?: MountIdmap } | { readonly issue: Issue }

export function planIdmap({ mount, at, wishes }: MountRequest, planning: Planning): Result {
  const { uidMappings = [], gidMappings = [] } = mount
  const isMapped = uidMappings.length > 0 && gidMappings.length > 0
  const { idmap } = wishes
  if (idmap === undefined && !isMapped) return {}
  const pointer = idmap === undefined ? `${at}/uidMappings` : `${at}/options/${idmap.index}`
  if (!isPrivileged(planning)) {
    return { issue: { pointer, expected: 'no id mapping: the kernel lets only root map a mount' } }
  }
  const recursive = idmap?.recursive ?? false
  if (idmap?.custom !== undefined) {
    const mappings = parseMappings(idmap.custom, planning.spec)
    if (mappings !== undefined) return { idmap: { recursive, mappings } }
    const expected = 'uids=CONTAINER-HOST-SIZE#…;gids=CONTAINER-HOST-SIZE#… of mapped ids'
    return { issue: { pointer, expected, found: JSON.stringify(idmap.custom) } }
  }
  if (isMapped) return { idmap: { recursive, mappings: { uidMappings, gidMappings } } }
  if (hasUserNamespace(planning)) return { idmap: { recursive, ...joinedBy(planning) } }
  const expected = 'uidMappings and gidMappings of the mount, or a user namespace to take them from'
  return { issue: { pointer, expected } }
}

function joinedBy(planning: Planning): { userNamespace?: string } {
  if (userNamespaceOf(planning) !== 'joined') return {}
  const entry = planning.spec.linux?.namespaces?.find(({ type }) => type === 'user')
  return entry?.path === undefined ? {} : { userNamespace: entry.path }
}

function parseMappings(text: string, { linux }: Spec): MountIdmap['mappings'] {
  const found = new Map<string, IdMapping[]>()
  for (const part of text.split(';')) {
    const [, name = '', ranges = ''] = /^(uids|gids)=(.+)$/.exec(part) ?? []
    const own = (name === 'uids' ? linux?.uidMappings : linux?.gidMappings) ?? []
    const mappings = ranges.split('#').map((range) => parseRange(range, own))
    if (found.has(name) || mappings.includes(undefined)) return undefined
    found.set(
      name,
      mappings.filter((mapping) => mapping !== undefined),
    )
  }
  const [uidMappings, gidMappings] = [found.get('uids'), found.get('gids')]
  if (uidMappings === undefined || gidMappings === undefined) return undefined
  return { uidMappings, gidMappings }
}

const MAX_ID = 0xffff_fffe

function parseRange(text: string, own: readonly IdMapping[]): IdMapping | undefined {
  const [, relative, ...digits] = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(text) ?? []
  const [containerID = -1, second = -1, size = 0] = digits.map(Number)
  const hostID = relative === '@' ? toHostId(own, second) : second
  if (hostID === undefined || hostID < 0 || containerID < 0 || size < 1) return undefined
  if (containerID + size - 1 > MAX_ID || hostID + size - 1 > MAX_ID) return undefined
  return { containerID, hostID, size }
}
