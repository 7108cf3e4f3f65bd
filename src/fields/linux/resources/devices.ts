import type { DeviceRule } from '../../../config/spec.ts'
import type { Pointer } from '../../../errors.ts'
import type { AttachDeviceFilter, Step, WriteCgroupFile } from '../../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { cgroupPathOf } from '../cgroups-path.ts'
import { isHostPrivileged } from '../user-namespace.ts'
import { findController, missingController, refuse, WITHOUT_CGROUP } from './controller.ts'
import { compileDeviceFilter, encodeInstructions, listInstructions } from './device-filter.ts'
import { type DevicePolicy, formatRule, resolveDeviceRules } from './device-rules.ts'

/**
 * Which devices the container may use. Without rules nearly none, as runc has it. The nodes that
 * `linux.devices` makes are not allowed by that alone.
 */
export const devices: Field<readonly DeviceRule[]> = {
  plan: planDevices,
  absent: (at, planning) => (planning.limits === undefined ? planDevices([], at, planning) : {}),
}

/** Jumps of eBPF reach 32767 instructions; a rule takes at most seven. */
const MOST_RULES = 4096

function planDevices(rules: readonly DeviceRule[], at: Pointer, planning: Planning): Contribution {
  if (rules.length > MOST_RULES) {
    const expected = `at most ${MOST_RULES} rules`
    return { issues: [{ pointer: at, expected, found: `${rules.length}` }] }
  }
  const { policy, issues } = resolveDeviceRules(rules, at)
  if (issues.length > 0) return { issues }
  // The kernel lets nobody else filter devices. There, nobody can make a node either: what the
  // container has are those that were bound for it.
  if (!isHostPrivileged(planning)) return {}
  if (planning.options.withoutCgroup) {
    if (planning.limits !== undefined) return { issues: [refuse(at, WITHOUT_CGROUP)] }
    const words = 'without effect: --cgroup-manager disabled makes no cgroup to keep devices from'
    return rules.length === 0 ? {} : { warnings: [`${at}: ${words}`] }
  }
  const inV1 = findController('devices', planning)
  const { v2 } = planning.facts.cgroup
  if (inV1 === undefined && v2 === undefined) {
    return { issues: [missingController('devices', at, planning)] }
  }
  const path = cgroupPathOf(planning)
  const steps: Step[] = []
  if (inV1 !== undefined) steps.push(...writeRules(policy, at, inV1.hierarchy, path))
  // A new cgroup without a filter allows all that its parents allow.
  const isNeeded = planning.limits !== undefined || !allowsAll(policy)
  if (v2 !== undefined && isNeeded) steps.push(attachFilter(policy, at, v2.mountpoint, path))
  return { steps }
}

function allowsAll({ allowByDefault, exceptions }: DevicePolicy): boolean {
  return allowByDefault && exceptions.length === 0
}

function writeRules(
  { allowByDefault, exceptions }: DevicePolicy,
  origin: Pointer,
  hierarchy: string,
  path: string,
): WriteCgroupFile[] {
  const base = { kind: 'write-cgroup-file', phase: 'cgroup', origin, hierarchy, path } as const
  const [reset, except] = allowByDefault
    ? (['devices.allow', 'devices.deny'] as const)
    : (['devices.deny', 'devices.allow'] as const)
  // A new cgroup has its parent's rules, so the default is always written.
  return [
    { ...base, file: reset, value: 'a' },
    ...exceptions.map((exception) => ({ ...base, file: except, value: formatRule(exception) })),
  ]
}

function attachFilter(
  policy: DevicePolicy,
  origin: Pointer,
  hierarchy: string,
  path: string,
): AttachDeviceFilter {
  const instructions = compileDeviceFilter(policy)
  const program = Buffer.from(encodeInstructions(instructions)).toString('base64')
  const listing = listInstructions(instructions)
  return {
    kind: 'attach-device-filter',
    phase: 'cgroup',
    origin,
    hierarchy,
    path,
    program,
    listing,
  }
}
