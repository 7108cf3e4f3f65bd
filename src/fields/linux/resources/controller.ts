/** How a limit reaches its file: which hierarchy has the controller, and what if none has. */
import type { Issue, Pointer } from '../../../errors.ts'
import type { CgroupHierarchy } from '../../../host/facts.ts'
import type { WriteCgroupFile } from '../../../plan/steps.ts'
import type { Contribution, Planning } from '../../field.ts'
import { cgroupPathOf, openHierarchies } from '../cgroups-path.ts'

export type CgroupVersion = 1 | 2

/** Controllers by the names that v2 gives them; `blkio` is v1's name for `io`. */
export type ControllerName =
  | 'memory'
  | 'cpu'
  | 'cpuset'
  | 'pids'
  | 'io'
  | 'hugetlb'
  | 'rdma'
  | 'net_cls'
  | 'net_prio'
  | 'devices'

/** One value for one file. */
export interface Setting {
  /** Path of the config field below the controller's own: `limit`, `weightDevice/0/weight`. */
  readonly field: string
  readonly file: string
  readonly value: string
  readonly missing?: NonNullable<WriteCgroupFile['missing']>
  readonly hint?: string
}

/** What a config wants of a controller, in the order in which the kernel takes it. */
export interface Wish {
  readonly settings: readonly Setting[]
  readonly issues?: readonly Issue[]
  readonly warnings?: readonly string[]
}

/** Plans the files of one controller; `wish` says what they shall hold in either version. */
export function planController(
  name: ControllerName,
  at: Pointer,
  planning: Planning,
  wish: (version: CgroupVersion) => Wish,
): Contribution {
  const found = findController(name, planning)
  const version = found?.version ?? (planning.facts.cgroup.mode === 'unified' ? 2 : 1)
  const { settings, issues = [], warnings = [] } = wish(version)
  const first = settings[0]
  if (first === undefined || issues.length > 0) return { issues, warnings }
  if (planning.options.withoutCgroup) return { issues: [refuse(at, WITHOUT_CGROUP)], warnings }
  if (found === undefined) return { issues: [missingController(name, at, planning)], warnings }
  const path = cgroupPathOf(planning)
  const steps = settings.map(({ field, ...setting }): WriteCgroupFile => {
    const origin = field === '' ? at : `${at}/${field}`
    const { hierarchy } = found
    return { kind: 'write-cgroup-file', phase: 'cgroup', origin, hierarchy, path, ...setting }
  })
  return { steps, warnings }
}

interface FoundController {
  readonly version: CgroupVersion
  /** Mount point. */
  readonly hierarchy: string
}

/** v1 first: a controller that v1 has taken is not in v2. */
export function findController(
  name: ControllerName,
  planning: Planning,
): FoundController | undefined {
  const { v1, v2 } = openHierarchies(planning)
  const inV1 = v1.find(({ controllers }) => controllers.includes(nameInV1(name)))
  if (inV1 !== undefined) return { version: 1, hierarchy: inV1.mountpoint }
  return v2?.controllers.includes(name) ? { version: 2, hierarchy: v2.mountpoint } : undefined
}

function nameInV1(name: ControllerName): string {
  return name === 'io' ? 'blkio' : name
}

export function missingController(name: ControllerName, at: Pointer, planning: Planning): Issue {
  const { mode, v1: all, v2 } = planning.facts.cgroup
  const hasName = ({ controllers }: CgroupHierarchy) => controllers.includes(nameInV1(name))
  if (all.some(hasName) || v2?.controllers.includes(name)) {
    return refuse(at, `the caller may make no cgroup with the ${name} controller`)
  }
  const kernel = `it needs a kernel with ${KERNEL_OPTION[name]}`
  if (mode === 'unified') {
    const offered = v2?.controllers.join(' ') || 'none'
    const detail = `${kernel}; offered: ${offered}`
    return refuse(at, `the ${name} controller is not offered by cgroup v2 on this host (${detail})`)
  }
  const v1 = nameInV1(name)
  const mount = `mount -t cgroup -o ${v1} ${v1} /sys/fs/cgroup/${v1}`
  return refuse(at, `the ${v1} controller is not mounted on this host (${kernel}, and: ${mount})`)
}

export const WITHOUT_CGROUP =
  'a limit needs a cgroup, and the container has none (--cgroup-manager disabled)'

/** What the host cannot do, rather than what the config should say. */
export function refuse(pointer: Pointer, reason: string): Issue {
  return { pointer, expected: 'what this host can do', message: `${pointer}: ${reason}` }
}

/** A limit that cgroup v2 does not have. */
export function issueOnlyV1(pointer: Pointer, what: string): Issue {
  return refuse(pointer, `${what} need cgroup v1: cgroup v2 has no such thing`)
}

const KERNEL_OPTION: Readonly<Record<ControllerName, string>> = {
  memory: 'CONFIG_MEMCG, not booted with cgroup_disable=memory',
  cpu: 'CONFIG_CGROUP_SCHED',
  cpuset: 'CONFIG_CPUSETS',
  pids: 'CONFIG_CGROUP_PIDS',
  io: 'CONFIG_BLK_CGROUP',
  hugetlb: 'CONFIG_CGROUP_HUGETLB',
  rdma: 'CONFIG_CGROUP_RDMA',
  net_cls: 'CONFIG_CGROUP_NET_CLASSID',
  net_prio: 'CONFIG_CGROUP_NET_PRIO',
  devices: 'CONFIG_CGROUP_DEVICE',
}
