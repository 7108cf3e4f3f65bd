/**
 * What `delete --force` can use of a record that is damaged, or that another version of tsrunc
 * wrote: enough to end the container's processes and to find its cgroups.
 */
import {
  type ContainerRecord,
  emptyRecord,
  type RecordedCgroup,
  type RecordedUnit,
} from './record.ts'
import { isUnitName } from './record-shape.ts'
import { type ContainerDirectory, readRecordText } from './store.ts'

/** A record in which all that is not certain is left out. */
export function salvageRecord(directory: ContainerDirectory): ContainerRecord {
  const empty = emptyRecord(directory.id)
  const found = parseObject(readRecordText(directory) ?? '')
  const { pid, startTime, bootId, cgroups, unit } = found
  const isProcess = Number.isSafeInteger(pid) && Number(pid) > 0 && typeof startTime === 'string'
  return {
    ...empty,
    ...(isProcess && { pid: Number(pid), startTime }),
    // Without it, neither the process nor the cgroups are certain to be the container's.
    ...(typeof bootId === 'string' && { bootId }),
    ...(isUnit(unit) && { unit }),
    cgroups: Array.isArray(cgroups) ? cgroups.filter(isCgroup) : [],
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function isCgroup(value: unknown): value is RecordedCgroup {
  if (typeof value !== 'object' || value === null) return false
  const { hierarchy, path, version, missing }: Readonly<Record<string, unknown>> = { ...value }
  const paths: unknown[] = [hierarchy, path, ...(Array.isArray(missing) ? missing : [undefined])]
  return (version === 1 || version === 2) && paths.every(isPlainPath)
}

function isUnit(value: unknown): value is RecordedUnit {
  if (typeof value !== 'object' || value === null) return false
  const { name, userBus }: Readonly<Record<string, unknown>> = { ...value }
  return isUnitName(name) && (userBus === undefined || typeof userBus === 'string')
}

/** Below it lies what is killed and removed. */
function isPlainPath(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\/./.test(value)) return false
  return !value.split('/').some((name) => name === '.' || name === '..')
}
