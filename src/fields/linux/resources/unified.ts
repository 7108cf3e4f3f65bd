import { joinPointer } from '../../../config/pointer.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { WriteCgroupFile } from '../../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { cgroupPathOf } from '../cgroups-path.ts'
import { refuse, WITHOUT_CGROUP } from './controller.ts'

/** Files of cgroup v2 by name. The last of the resources: what stands here wins. */
export const unified: Field<Readonly<Record<string, string>>> = { plan: planUnified }

function planUnified(
  files: Readonly<Record<string, string>>,
  at: Pointer,
  planning: Planning,
): Contribution {
  const entries = Object.entries(files)
  if (entries.length === 0) return {}
  if (planning.options.withoutCgroup) return { issues: [refuse(at, WITHOUT_CGROUP)] }
  const { mode, v2 } = planning.facts.cgroup
  if (mode !== 'unified' || v2 === undefined) {
    return { issues: [refuse(at, NEEDS_V2)] }
  }
  const issues = entries.flatMap(([file]) => checkFile(file, at, v2.controllers))
  if (issues.length > 0) return { issues }
  const path = cgroupPathOf(planning)
  const steps = entries.flatMap(([file, text]) =>
    // The kernel takes one line a write: io.max and its kind have one a device.
    linesOf(text).map((value): WriteCgroupFile => {
      const hierarchy = v2.mountpoint
      const origin = joinPointer(at, file)
      return { kind: 'write-cgroup-file', phase: 'cgroup', origin, hierarchy, path, file, value }
    }),
  )
  return { steps }
}

const NEEDS_V2 =
  'files of cgroup v2 need a host that has it alone, this one has cgroup v1 (systemd.unified_cgroup_hierarchy=1 on the kernel command line changes that)'

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  const filled = lines.filter((line) => line !== '')
  return filled.length === 0 ? [''] : filled
}

function checkFile(file: string, at: Pointer, controllers: readonly string[]): Issue[] {
  const pointer = joinPointer(at, file)
  const [controller = ''] = file.split('.', 1)
  if (controllers.includes(controller)) return []
  const offered = controllers.join(' ') || 'none'
  return [
    refuse(
      pointer,
      `the ${controller} controller is not offered by cgroup v2 on this host (offered: ${offered})`,
    ),
  ]
}
