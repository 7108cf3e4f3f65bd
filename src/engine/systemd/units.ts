/** The unit of a container: a scope that systemd makes around the stage, and what ends it. */
import { StepError } from '../../errors.ts'
import type { SetUnitProperties, StartUnit } from '../../plan/steps.ts'
import type { UnitProperty } from '../../plan/unit-property.ts'
import type { RecordedUnit } from '../../state/record.ts'
import type { TypedValue } from '../../sys/sd-bus-message.ts'
import {
  callManager,
  isBusError,
  openSystemd,
  runJob,
  type Systemd,
  text,
} from '../../sys/systemd.ts'
import { findProcesses } from '../cgroups/processes.ts'

/** Has systemd make the scope with the process in it; its cgroup is there when this returns. */
export function startUnit(step: StartUnit, pid: number): void {
  using systemd = openSystemd(step.userBus)
  const stage = { name: 'PIDs', signature: 'au', value: [pid] }
  const properties = toStructs([...step.properties, stage])
  const auxiliary: TypedValue = { signature: 'a(sa(sv))', value: [] }
  const start = () =>
    runJob(systemd, 'StartTransientUnit', [text(step.unit), text('fail'), properties, auxiliary])
  try {
    try {
      start()
    } catch (error) {
      if (!isBusError(error, 'UnitExists')) throw error
      clearAway(systemd, step)
      start()
    }
  } catch (error) {
    throw explain(error, step, step.properties)
  }
}

/** What a crash left of an earlier container of that name: failed, or without any process. */
function clearAway(systemd: Systemd, { unit, hierarchy, path }: StartUnit): void {
  const count = findProcesses([hierarchy + path]).length
  if (count > 0) {
    throw new Error(`container's cgroup is not empty: ${count} process(es) found in unit ${unit}`)
  }
  endUnit(systemd, unit)
}

/** Other limits for a running unit, until it ends. */
export function setUnitProperties(step: SetUnitProperties): void {
  using systemd = openSystemd(step.userBus)
  const runtime: TypedValue = { signature: 'b', value: true }
  try {
    const args = [text(step.unit), runtime, toStructs(step.properties)]
    callManager(systemd.bus, 'SetUnitProperties', args)
  } catch (error) {
    throw explain(error, step, step.properties)
  }
}

/**
 * Stops the unit, and makes systemd forget how it ended. One that is not there is fine. A systemd that
 * cannot be reached, as a user's after the session, keeps no container: a unit that it still has is
 * cleared away by the next of that name.
 */
export function removeUnit({ name, userBus }: RecordedUnit, warn: (message: string) => void): void {
  using systemd = tryOpenSystemd(userBus, (why) => warn(`unit ${name} is left to systemd: ${why}`))
  if (systemd === undefined) return
  try {
    endUnit(systemd, name)
  } catch (error) {
    throw new StepError('', `unit ${name}: ${describe(error)}`, { cause: error })
  }
}

function tryOpenSystemd(
  userBus: string | undefined,
  fail: (why: string) => void,
): Systemd | undefined {
  try {
    return openSystemd(userBus)
  } catch (error) {
    fail(describe(error))
    return undefined
  }
}

function endUnit(systemd: Systemd, unit: string): void {
  tolerateMissing(() => runJob(systemd, 'StopUnit', [text(unit), text('replace')]))
  tolerateMissing(() => callManager(systemd.bus, 'ResetFailedUnit', [text(unit)]))
}

function tolerateMissing(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (!isBusError(error, 'NoSuchUnit')) throw error
  }
}

function toStructs(properties: readonly Omit<UnitProperty, 'origin'>[]): TypedValue {
  const structs = properties.map(({ name, signature, value }) => [name, { signature, value }])
  return { signature: 'a(sv)', value: structs }
}

/** systemd names the property that it does not take: the config field is the property's. */
function explain(
  error: unknown,
  { unit, origin }: { readonly unit: string; readonly origin: string },
  properties: readonly UnitProperty[],
): StepError {
  const message = describe(error)
  const blamed = properties.find(({ name }) => new RegExp(`\\b${name}\\b`).test(message))
  const hint = message.startsWith("systemd's job")
    ? ` (hint: systemctl status ${unit}, journalctl -u ${unit})`
    : ''
  return new StepError(blamed?.origin ?? origin, `unit ${unit}: ${message}${hint}`, {
    cause: error,
  })
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
