/** Cgroups below the container's own that it starts in, and whom they belong to. v2 alone. */
import { joinPointer } from '../../config/pointer.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { CgroupHierarchy } from '../../host/facts.ts'
import type { Step } from '../../plan/steps.ts'
import type { Contribution, Planning } from '../field.ts'
import { planOwnership } from './cgroup-ownership.ts'
import { cgroupPathOf } from './cgroups-path.ts'

/** crun's: a level below the unit, which keeps the limits, so that an init may divide the rest. */
const SUBGROUP = 'run.oci.systemd.subgroup'
/** crun's: one more level, which is the container's to do with as it likes. */
const DELEGATE = 'run.oci.delegate-cgroup'

/** The annotations that name a level, the upper first. */
function namedLevels({ spec, options }: Planning): readonly (readonly [string, string])[] {
  const wanted = options.systemdCgroup ? [SUBGROUP, DELEGATE] : [DELEGATE]
  return wanted.flatMap((key) => {
    const name = spec.annotations?.[key] ?? ''
    return name === '' ? [] : [[key, name] as const]
  })
}

/** Below the container's cgroup, where its process begins; '' in that itself. */
export function innerPathOf(planning: Planning): string {
  if (planning.facts.cgroup.mode !== 'unified') return ''
  return namedLevels(planning)
    .map(([, name]) => `/${name}`)
    .join('')
}

/** To be planned after the container's own cgroup. */
export function planDelegation(at: Pointer, planning: Planning): Contribution {
  const levels = namedLevels(planning)
  const { v2, mode } = planning.facts.cgroup
  if (mode !== 'unified' || v2 === undefined) {
    const warn = (key: string) => `/annotations/${key}: without effect beside cgroup v1`
    return { warnings: levels.map(([key]) => warn(key)) }
  }
  const issues = levels.flatMap(([key, name]) => checkName(name, joinPointer('/annotations', key)))
  if (issues.length > 0) return { issues }
  const below = levels.length === 0 ? [] : planLevels(levels, v2, planning)
  const isAsked = levels.some(([key]) => key === DELEGATE)
  const path = cgroupPathOf(planning) + innerPathOf(planning)
  return { steps: [...below, ...planOwnership(path, at, planning, isAsked)] }
}

/** Where controllers are enabled for children no process may be: the stage goes down first. */
function planLevels(
  levels: readonly (readonly [string, string])[],
  { mountpoint: hierarchy, controllers }: CgroupHierarchy,
  planning: Planning,
): readonly Step[] {
  const origin = joinPointer('/annotations', levels.at(-1)?.[0] ?? '')
  const base = cgroupPathOf(planning)
  const path = base + innerPathOf(planning)
  const common = { phase: 'cgroup', origin, hierarchy } as const
  const isUnit = planning.options.systemdCgroup
  // All that is above a unit's cgroup is systemd's.
  const enable = isUnit ? [] : controllers
  const steps: Step[] = [{ kind: 'make-cgroup', ...common, path, inherit: [], enable }]
  if (!isUnit) return steps
  steps.push({ kind: 'join-cgroup', ...common, path })
  for (let above = base, level = 0; level < levels.length; level++) {
    for (const name of controllers) {
      const value = `+${name}`
      const file = 'cgroup.subtree_control'
      // One that systemd has not enabled here is not there.
      steps.push({
        kind: 'write-cgroup-file',
        ...common,
        path: above,
        file,
        value,
        missing: 'skip',
      })
    }
    above += `/${levels[level]?.[1]}`
  }
  return steps
}

function checkName(name: string, pointer: Pointer): Issue[] {
  const isName = /^[^/\n]+$/.test(name) && name !== '.' && name !== '..'
  if (isName && Buffer.byteLength(name) <= 255) return []
  return [{ pointer, expected: 'the name of one directory', found: JSON.stringify(name) }]
}
