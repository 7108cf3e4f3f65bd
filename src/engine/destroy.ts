/** The end of a container, whatever state it is in: processes, cgroups, hooks, state directory. */
import { describeError, StepError } from '../errors.ts'
import type { RunHook } from '../plan/steps.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readBootId } from '../sys/proc.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import { killCgroups, removeCgroups } from './cgroups/remove.ts'
import { killContainerProcess } from './container-process.ts'
import { runHook } from './hooks.ts'
import { removeResctrlGroups } from './resctrl.ts'
import { removeUnit } from './systemd/units.ts'

export interface Destruction {
  readonly record: ContainerRecord
  readonly architecture: Architecture
  readonly poststop: readonly RunHook[]
  readonly warn: (message: string) => void
  /** Removes the state directory; the last thing, so that a failure before it can be retried. */
  readonly removeDirectory: () => void
}

/**
 * Kills what still runs, then removes what was made. Throws the first failure after it tried the
 * rest; hooks and state directory are then left to the `delete --force` that tries again. A failing
 * poststop hook is a warning (runtime-spec, lifecycle step 13).
 */
export function destroyContainer(destruction: Destruction): void {
  const { record } = destruction
  // After a reboot a cgroup of that name is somebody else's.
  const { cgroups, unit }: Pick<ContainerRecord, 'cgroups' | 'unit'> =
    record.bootId === readBootId() ? record : { cgroups: [] }
  const failures: unknown[] = []
  for (const effect of [
    // First, for who is frozen does not end before it is thawed.
    () => killCgroups(cgroups),
    () => killContainerProcess(record),
    () => (unit === undefined ? undefined : removeUnit(unit, destruction.warn)),
    () => removeCgroups(cgroups),
    () => removeResctrlGroups(record.resctrlGroups ?? []),
  ]) {
    try {
      effect()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) {
    throw new StepError('', describeError(failures[0]), { cause: failures[0] })
  }
  runPoststopHooks(destruction)
  destruction.removeDirectory()
}

function runPoststopHooks({ record, poststop, architecture, warn }: Destruction): void {
  const { id, ociVersion, bundle, annotations } = record
  for (const step of poststop) {
    try {
      runHook(step, { id, ociVersion, bundle, annotations }, architecture)
    } catch (error) {
      warn(`${error instanceof StepError ? '' : `${step.origin}: `}${describeError(error)}`)
    }
  }
}
