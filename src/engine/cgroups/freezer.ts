/** Stops and continues every process of a container: the freezer of cgroup v2, or of v1. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StateError, StepError } from '../../errors.ts'
import type { RecordedCgroup } from '../../state/record.ts'
import { codeOf, isRemoved, waitUntil, writeCgroup } from './files.ts'
import { isContainers } from './processes.ts'

/** A process in an uninterruptible call is frozen only when that returns. */
const FREEZE_TIMEOUT_MS = 10_000
/** A v1 freezer that stays FREEZING needs a nudge: each look tries again. */
const V1_STATES = { frozen: 'FROZEN', thawed: 'THAWED' } as const

/** One directory, and the two files by which its kernel freezes and tells. */
interface Freezer {
  readonly directory: string
  readonly version: 1 | 2
}

/**
 * Freezes; returns when nothing of the container runs any more. When that does not happen in time
 * it is thawed again and an error is thrown: half frozen is worse than running.
 */
export function freezeCgroups(cgroups: readonly RecordedCgroup[]): void {
  const freezer = openFreezer(cgroups)
  const isDone = waitUntil(FREEZE_TIMEOUT_MS, () => {
    setFrozen(freezer, true)
    return isFrozen(freezer)
  })
  if (isDone) return
  setFrozen(freezer, false)
  throw new StepError(
    '',
    `${freezer.directory} is not frozen after ${FREEZE_TIMEOUT_MS / 1000} s` +
      ' (hint: a process in it waits in the kernel, /proc/PID/stack tells for what)',
  )
}

/** Lets the container run; one that is not frozen does already. */
export function thawCgroups(cgroups: readonly RecordedCgroup[]): void {
  const freezer = openFreezer(cgroups)
  setFrozen(freezer, false)
  const isDone = waitUntil(FREEZE_TIMEOUT_MS, () => !isFrozen(freezer))
  if (!isDone) {
    const hint = 'is a cgroup above it frozen?'
    throw new StepError('', `${freezer.directory} is still frozen (hint: ${hint})`)
  }
}

/** v1's first: beside it v2 has the container's processes, too, but who looks there is rare. */
function openFreezer(cgroups: readonly RecordedCgroup[]): Freezer {
  const found = cgroups.filter(isContainers).flatMap(({ hierarchy, path, version }) => {
    const directory = join(hierarchy, path)
    return hasFile(join(directory, version === 1 ? 'freezer.state' : 'cgroup.freeze'))
      ? [{ directory, version }]
      : []
  })
  const [freezer] = found.toSorted((a, b) => a.version - b.version)
  if (freezer !== undefined) return freezer
  if (cgroups.length === 0) throw new StateError('the container has no cgroup to freeze')
  throw new StateError(
    'the container has no cgroup with a freezer (hint: cgroup v2 has one, v1 when its freezer' +
      ' controller is mounted: mount -t cgroup -o freezer freezer /sys/fs/cgroup/freezer)',
  )
}

function setFrozen({ directory, version }: Freezer, frozen: boolean): void {
  if (version === 2) writeCgroup(join(directory, 'cgroup.freeze'), frozen ? '1' : '0')
  else {
    const state = frozen ? V1_STATES.frozen : V1_STATES.thawed
    writeCgroup(join(directory, 'freezer.state'), state)
  }
}

function isFrozen({ directory, version }: Freezer): boolean {
  const file = version === 2 ? 'cgroup.events' : 'freezer.state'
  const text = readFileSync(join(directory, file), 'latin1')
  // FREEZING is not frozen yet, and not thawed either: nothing of it counts before its end.
  return version === 2 ? text.includes('frozen 1') : text.trim() === V1_STATES.frozen
}

function hasFile(path: string): boolean {
  try {
    readFileSync(path, 'latin1')
    return true
  } catch (error) {
    if (isRemoved(error)) return false
    throw new Error(`${path} cannot be read: ${codeOf(error)}`, { cause: error })
  }
}
