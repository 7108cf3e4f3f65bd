/** The systemd driver: the container's cgroup is that of a transient scope. */
import type { Issue, Pointer } from '../../../errors.ts'
import type { MakeCgroup, StartUnit, Step } from '../../../plan/steps.ts'
import type { UnitProperty } from '../../../plan/unit-property.ts'
import type { Contribution, Planning } from '../../field.ts'
import { cgroupPathOf } from '../cgroups-path.ts'
import { readPropertyAnnotations } from './property-annotations.ts'
import { expandSlice, placeUnit } from './unit-name.ts'
import { unitPropertiesOf } from './unit-properties.ts'

/** Where systemd puts the cgroup of the container's unit, below the hierarchy. */
export function unitCgroupOf(configured: string, { options, facts }: Planning): string {
  const place = placeUnit(configured, options.id, options.userBus !== undefined, '')
  const { systemd } = facts
  if ('issue' in place || systemd === undefined || 'problem' in systemd) return '/'
  return `${systemd.controlGroup}${expandSlice(place.slice)}/${place.unit}`
}

/** Its limits are added when all fields are planned: see completeUnit. */
export function planUnit(configured: string, at: Pointer, planning: Planning): Contribution {
  const { options, facts, spec } = planning
  const problem = findProblem(planning)
  if (problem !== undefined) return { issues: [problem] }
  const place = placeUnit(configured, options.id, options.userBus !== undefined, at)
  if ('issue' in place) return { issues: [place.issue] }
  const { properties, issues } = readPropertyAnnotations(spec.annotations ?? {})
  if (issues.length > 0) return { issues }
  const hierarchy = facts.cgroup.v2?.mountpoint ?? ''
  const path = unitCgroupOf(configured, planning)
  const start: StartUnit = {
    kind: 'start-unit',
    phase: 'cgroup',
    origin: at,
    unit: place.unit,
    hierarchy,
    path,
    properties: [...describeUnit(options.id, place.slice, at), ...properties],
    ...(options.userBus !== undefined && { userBus: options.userBus }),
  }
  return { steps: [start, ...enableOthers(hierarchy, path, at, planning)] }
}

function findProblem({ facts }: Planning): Issue | undefined {
  const refuse = (why: string): Issue => {
    const pointer = '--systemd-cgroup'
    return { pointer, expected: 'systemd', message: `${pointer}: ${why}` }
  }
  if (facts.cgroup.mode !== 'unified') {
    return refuse(
      'units of systemd are made on hosts with cgroup v2 alone, this one has cgroup v1' +
        ' (systemd.unified_cgroup_hierarchy=1 on the kernel command line changes that;' +
        ' --cgroup-manager cgroupfs works on both)',
    )
  }
  const { systemd } = facts
  if (systemd === undefined || 'problem' in systemd) {
    return refuse(`systemd cannot be reached: ${systemd?.problem ?? 'it was not asked'}`)
  }
  return undefined
}

/** What every container's scope is. Its devices are left to the filter that we attach ourselves. */
function describeUnit(id: string, slice: string, origin: Pointer): readonly UnitProperty[] {
  const yes = (name: string): UnitProperty => ({ name, signature: 'b', value: true, origin })
  const word = (name: string, value: string) => ({ name, signature: 's', value, origin })
  return [
    word('Description', `tsrunc container ${id}`),
    word('Slice', slice),
    // Ours to divide, and no reason to stop the unit when a process in it is killed for its memory.
    yes('Delegate'),
    yes('MemoryAccounting'),
    yes('CPUAccounting'),
    yes('IOAccounting'),
    yes('TasksAccounting'),
    { name: 'DefaultDependencies', signature: 'b', value: false, origin },
    // One that failed is forgotten by itself: its name may be wanted again.
    word('CollectMode', 'inactive-or-failed'),
  ]
}

/** systemd enables the controllers that it knows of itself; these it does not. */
const OTHERS = ['hugetlb', 'rdma', 'misc'] as const

function enableOthers(
  hierarchy: string,
  path: string,
  origin: Pointer,
  { spec, facts }: Planning,
): MakeCgroup[] {
  const { hugepageLimits, rdma, unified = {} } = spec.linux?.resources ?? {}
  const wanted = {
    hugetlb: (hugepageLimits ?? []).length > 0,
    rdma: Object.keys(rdma ?? {}).length > 0,
    misc: false,
  }
  const isNamed = (name: string) => Object.keys(unified).some((file) => file.startsWith(`${name}.`))
  const offered = facts.cgroup.v2?.controllers ?? []
  const enable = OTHERS.filter((name) => wanted[name] || isNamed(name)).filter((name) =>
    offered.includes(name),
  )
  if (enable.length === 0) return []
  return [{ kind: 'make-cgroup', phase: 'cgroup', origin, hierarchy, path, inherit: [], enable }]
}

/** Adds to the unit the limits that are planned as files: systemd shall know them. */
export function completeUnit(steps: readonly Step[], planning: Planning): readonly Step[] {
  return steps.map((step) => {
    if (step.kind !== 'start-unit') return step
    const named = new Set(step.properties.map(({ name }) => name))
    // What an annotation says counts, as in runc, where it comes last.
    const added = limitsOf(steps, planning).filter(({ name }) => !named.has(name))
    return { ...step, properties: [...step.properties, ...added] }
  })
}

/**
 * `update` of a container in a unit: systemd is told what the kernel has taken, for that can be taken
 * back. It writes the files, too, whose numbers it rounds: they say it exactly once more.
 */
export function withUnit(steps: readonly Step[], planning: Planning): readonly Step[] {
  const unit = planning.limits?.unit
  const properties = limitsOf(steps, planning)
  const [first] = properties
  if (unit === undefined || first === undefined) return steps
  const { name, ...bus } = unit
  const { origin } = first
  return [
    ...steps,
    { kind: 'set-unit-properties', phase: 'cgroup', origin, unit: name, properties, ...bus },
    ...steps.filter(({ kind }) => kind === 'write-cgroup-file'),
  ]
}

function limitsOf(steps: readonly Step[], planning: Planning): readonly UnitProperty[] {
  const { systemd } = planning.facts
  const version = systemd !== undefined && 'version' in systemd ? systemd.version : 0
  const path = cgroupPathOf(planning)
  const files = steps.filter((step) => step.kind === 'write-cgroup-file' && step.path === path)
  return unitPropertiesOf(
    files.filter((step) => step.kind === 'write-cgroup-file'),
    version,
  )
}
