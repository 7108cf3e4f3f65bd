import type { Cpu } from '../../../config/spec.ts'
import type { Pointer } from '../../../errors.ts'
import type { Contribution, Planning } from '../../field.ts'
import { planController, type Setting } from './controller.ts'

/** `cpus` and `mems` of `linux.resources.cpu`: the files and lists are the same in v1 and v2. */
export function planCpuset(cpu: Cpu, at: Pointer, planning: Planning): Contribution {
  const settings: Setting[] = []
  if (cpu.cpus) settings.push({ field: 'cpus', file: 'cpuset.cpus', value: cpu.cpus })
  if (cpu.mems) settings.push({ field: 'mems', file: 'cpuset.mems', value: cpu.mems })
  return planController('cpuset', at, planning, () => ({ settings }))
}
