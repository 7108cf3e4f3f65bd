/** Whose the container's cgroup is: runtime-spec, config-linux, cgroup ownership. */
import type { Mount, Spec } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { OwnCgroup } from '../../plan/steps.ts'
import { cleanPath } from '../container-path.ts'
import type { Planning } from '../field.ts'
import { isHostPrivileged, toHostId, userNamespaceOf } from './user-namespace.ts'

/**
 * The container's user may manage cgroups of its own, as systemd does, where they can neither be
 * seen outside nor change a limit: on v2, in a cgroup namespace, with a mount that can be written.
 * Or where that is asked for by name.
 */
export function planOwnership(
  path: string,
  origin: Pointer,
  planning: Planning,
  isAsked = false,
): OwnCgroup[] {
  const { mode, v2 } = planning.facts.cgroup
  const uid = ownerOf(planning)
  if (mode !== 'unified' || v2 === undefined || uid === undefined || uid === 0) return []
  if (!isHostPrivileged(planning) || !(isAsked || canWrite(planning.spec))) return []
  return [{ kind: 'own-cgroup', phase: 'process', origin, hierarchy: v2.mountpoint, path, uid }]
}

function canWrite({ linux, mounts = [] }: Spec): boolean {
  const namespaces = linux?.namespaces ?? []
  const hasOwnView = namespaces.some(({ type, path = '' }) => type === 'cgroup' && path === '')
  return hasOwnView && mounts.some(isWritableCgroup)
}

/** As the host has it; of a user namespace that is joined we do not know. */
function ownerOf(planning: Planning): number | undefined {
  const { process, linux }: Spec = planning.spec
  const uid = process?.user?.uid ?? 0
  const whose = userNamespaceOf(planning)
  if (whose === 'joined') return undefined
  return whose === 'new' ? toHostId(linux?.uidMappings ?? [], uid) : uid
}

function isWritableCgroup({ type, destination, options = [] }: Mount): boolean {
  const isCgroup = type === 'cgroup' || type === 'cgroup2'
  const isReadonly = options.includes('ro') || options.includes('rro')
  return isCgroup && cleanPath(destination) === '/sys/fs/cgroup' && !isReadonly
}
