import type { IntelRdt } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { JoinResctrlGroup, MakeResctrlGroup } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'

/** Cache and memory bandwidth of Intel and AMD processors, by groups of resctrl. */
export const intelRdt: Field<IntelRdt> = { plan: planIntelRdt }

/**
 * With a closID the group is somebody's who shares it among containers; without one it is the
 * container's own (runtime-spec, config-linux.md#intelrdt).
 */
function planIntelRdt(configured: IntelRdt, origin: Pointer, planning: Planning): Contribution {
  const { resctrl } = planning.facts
  if (resctrl === undefined) return { issues: [needResctrl(origin)] }
  const { id } = planning.options
  const { closID = '', enableMonitoring = false } = configured
  const schemata = [
    configured.l3CacheSchema ?? '',
    configured.memBwSchema ?? '',
    ...(configured.schemata ?? []),
  ].filter((line) => line !== '')
  const group = pathOfGroup(resctrl, configured, id)
  const shared = schemata.length === 0 ? 'given' : 'shared'
  const sharing = closID === '' ? 'own' : shared
  const monitoring = `${group}/mon_groups/${id}`
  return {
    steps: [
      makeGroup({ path: group, sharing, schemata }, origin),
      ...(enableMonitoring
        ? [makeGroup({ path: monitoring, sharing: 'own', schemata: [] }, origin)]
        : []),
      joinGroup(group, origin),
      ...(enableMonitoring ? [joinGroup(monitoring, origin)] : []),
    ],
  }
}

/** A line of a group's `schemata`, and the flag that gives it. */
export interface SchemataLine {
  readonly origin: string
  readonly line: string
}

/**
 * For a container that runs. `configured` is of its config; without it the container is in no group
 * yet, and gets one of its own.
 */
export function planSchemata(
  lines: readonly SchemataLine[],
  configured: IntelRdt | undefined,
  planning: Planning,
): Contribution {
  const [first] = lines
  if (first === undefined) return {}
  const { resctrl } = planning.facts
  if (resctrl === undefined) return { issues: [needResctrl(first.origin)] }
  const path = pathOfGroup(resctrl, configured, planning.options.id)
  const writes = lines.map(({ origin, line }) =>
    makeGroup({ path, sharing: 'own', schemata: [line] }, origin),
  )
  return {
    steps: [...writes, ...(configured === undefined ? [joinGroup(path, first.origin)] : [])],
  }
}

function needResctrl(origin: string): Issue {
  const expected = 'a host with resctrl mounted (mount -t resctrl resctrl /sys/fs/resctrl)'
  return { pointer: origin, expected, found: 'none', message: `${origin} needs ${expected}` }
}

/** One that is shared has a name, one's own that of the container. */
function pathOfGroup(resctrl: string, configured: IntelRdt | undefined, id: string): string {
  return `${resctrl}/${configured?.closID || id}`
}

function makeGroup(
  group: Pick<MakeResctrlGroup, 'path' | 'sharing' | 'schemata'>,
  origin: Pointer,
): MakeResctrlGroup {
  return { kind: 'make-resctrl-group', phase: 'cgroup', origin, ...group }
}

function joinGroup(path: string, origin: Pointer): JoinResctrlGroup {
  return { kind: 'join-resctrl-group', phase: 'process', origin, path }
}
