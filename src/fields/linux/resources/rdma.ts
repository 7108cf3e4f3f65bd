import { joinPointer } from '../../../config/pointer.ts'
import type { Rdma } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { planController, type Setting } from './controller.ts'

export const rdma: Field<Readonly<Record<string, Rdma>>> = { plan: planRdma }

function planRdma(
  devices: Readonly<Record<string, Rdma>>,
  at: Pointer,
  planning: Planning,
): Contribution {
  const entries = Object.entries(devices)
  return planController('rdma', at, planning, () => ({
    settings: entries.flatMap(([name, limits]) => settingOf(name, limits)),
    issues: entries.flatMap(([name]) => checkName(name, at)),
  }))
}

function settingOf(name: string, { hcaHandles, hcaObjects }: Rdma): Setting[] {
  const limits: string[] = []
  if (hcaHandles !== undefined) limits.push(`hca_handle=${hcaHandles}`)
  if (hcaObjects !== undefined) limits.push(`hca_object=${hcaObjects}`)
  if (limits.length === 0) return []
  return [
    { field: joinPointer('', name).slice(1), file: 'rdma.max', value: [name, ...limits].join(' ') },
  ]
}

function checkName(name: string, at: Pointer): Issue[] {
  if (/^[^\s/]+$/.test(name)) return []
  const pointer = joinPointer(at, name)
  return [{ pointer, expected: 'the name of an RDMA device', found: JSON.stringify(name) }]
}
