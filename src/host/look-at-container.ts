/** What `exec` has to know of the container as it runs, beside what create wrote down. */
import { readFileSync, readlinkSync } from 'node:fs'
import { isErrno } from '../errors.ts'
import type { NamespaceType } from '../plan/steps.ts'
import type { ContainerCgroup, ContainerFacts } from './facts.ts'

/** As /proc/PID/ns calls them. */
const NAMESPACES: Readonly<Record<NamespaceType, string>> = {
  user: 'user',
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  time: 'time',
}

/**
 * `pid` is of the container's first process; whoever asks holds its pidfd, and joins by that: where
 * the pid was another's meanwhile, joining fails. `cgroups` are those that create made;
 * `sharesMounts`: in the mount namespace that it is in, it has a root that nobody else has.
 */
export function lookAtContainer(
  pid: number,
  cgroups: readonly Omit<ContainerCgroup, 'pathOfInit'>[],
  sharesMounts = false,
): ContainerFacts {
  const types = Object.keys(NAMESPACES) as NamespaceType[]
  return {
    namespaces: types.filter((type) => identify(pid, type) !== identify('self', type)),
    ...(sharesMounts && { root: `/proc/${pid}/root` }),
    cgroups: cgroups.map((cgroup) => locateInit(pid, cgroup)),
  }
}

/** `net:[4026531840]`; '' where the kernel has no such namespaces, or the process is gone. */
function identify(pid: number | 'self', type: NamespaceType): string {
  return orNothing(() => readlinkSync(`/proc/${pid}/ns/${NAMESPACES[type]}`))
}

/** An init such as systemd goes into a cgroup of its own, and enables controllers above it. */
function locateInit(pid: number, cgroup: Omit<ContainerCgroup, 'pathOfInit'>): ContainerCgroup {
  const { hierarchy, path, version } = cgroup
  const known = { hierarchy, path, version }
  if (version === 1) return known
  const lines = orNothing(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
  const own = /^0::(.*)$/m.exec(lines)?.[1]
  // Elsewhere it was put by somebody else: not a place that is the container's.
  return own?.startsWith(`${path}/`) ? { ...known, pathOfInit: own } : known
}

function orNothing(read: () => string): string {
  try {
    return read()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}
