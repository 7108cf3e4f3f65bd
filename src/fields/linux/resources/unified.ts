import { joinPointer } from '../../../config/pointer.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { WriteCgroupFile } from '../../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { cgroupPathOf } from '../cgroups-path.ts'

/** Files of cgroup v2 by name. The last of the resources: what stands here wins. */
export const unified: Field<Readonly<Record<string, string>>> = { plan: planUnified }

function planUnified(
  files: Readonly<Record<string, string>>,
  at: Pointer,
  planning: Planning,
): Contribution {
  const entries = Object.entries(files)
  if (entries.length === 0) return {}
  const { mode, v2 } = planning.facts.cgroup
  if (mode !== 'unified' || v2 === undefined) {
    const expected = `a host with cgroup v2 at /sys/fs/cgroup: this one has cgroup v1 (boot with systemd.unified_cgroup_hierarchy=1)`
    return { issues: [{ pointer: at, expected }] }
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

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  const filled = lines.filter((line) => line !== '')
  return filled.length === 0 ? [''] : filled
}

function checkFile(file: string, at: Pointer, controllers: readonly string[]): Issue[] {
  const pointer = joinPointer(at, file)
  const found = JSON.stringify(file)
  const [controller = '', parameter = ''] = file.split('.', 2)
  if (/[/\0]/.test(file) || controller === '' || parameter === '') {
    return [{ pointer, expected: 'a file name of the form CONTROLLER.PARAMETER', found }]
  }
  if (controller === 'cgroup' || controllers.includes(controller)) return []
  const offered = controllers.join(' ') || 'none'
  const expected = `the ${controller} controller, which cgroup v2 on this host does not offer (offered: ${offered})`
  return [{ pointer, expected }]
}
