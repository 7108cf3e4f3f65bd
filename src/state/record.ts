/** state.json: what later commands need to know of a container. Plain JSON. */
import { StateError } from '../errors.ts'
import type { ListedInstruction } from '../lower/listing.ts'
import type { RunHook, SeccompListener } from '../plan/steps.ts'
import { findDamage } from './record-shape.ts'

/** Changes with the layout below: another version's record is only good for delete --force. */
export const RECORD_VERSION = 1

/** A cgroup directory that `create` made, or was about to make. */
export interface RecordedCgroup {
  /** Mount point of the hierarchy. */
  readonly hierarchy: string
  /** Below it, absolute. */
  readonly path: string
  readonly version: 1 | 2
  /** The directories of `path` that were not there before, the highest first. */
  readonly missing: readonly string[]
}

/** The agent that gets the seccomp listener when `start` comes to that meet. */
export interface RecordedListener extends SeccompListener {
  readonly meet: number
  readonly origin: string
}

/** The unit of systemd that a container lives in. */
export interface RecordedUnit {
  readonly name: string
  /** Bus address of the user's service manager that has it; absent: the system's. */
  readonly userBus?: string
}

export interface ContainerRecord {
  readonly version: number
  readonly id: string
  readonly ociVersion: string
  readonly bundle: string
  readonly rootfs: string
  /** RFC 3339 with nanoseconds. */
  readonly created: string
  readonly annotations: Readonly<Record<string, string>>
  /** uid of who created it. */
  readonly owner: number
  /** True until everything of `create` is done. */
  readonly creating: boolean
  /** 0: there is no process yet. */
  readonly pid: number
  /** With the boot id, tells the process from a later one with the same pid. */
  readonly startTime: string
  readonly bootId: string
  readonly cgroups: readonly RecordedCgroup[]
  /** Its own groups of resctrl, the deepest first. */
  readonly resctrlGroups?: readonly string[]
  readonly unit?: RecordedUnit
  readonly hooks: { readonly poststart: readonly RunHook[]; readonly poststop: readonly RunHook[] }
  /** The lane of the container's process in the status page. */
  readonly lane: number
  /** The program from its `wait` on, so that `start` can explain a failure. */
  readonly startIndex: number
  readonly startListing: readonly ListedInstruction[]
  /** The hooks that `start` serves, by the number of their meet. */
  readonly startHooks: Readonly<Record<number, RunHook>>
  readonly startListener?: RecordedListener
  /** Index of the instruction that executes the container's program. */
  readonly executeIndex: number
  /** Why the executable is none for this machine, as far as its head tells. */
  readonly foreignExecutable?: string
}

/** Stands for a container of which nothing is known but its name. */
export function emptyRecord(id: string): ContainerRecord {
  return {
    version: RECORD_VERSION,
    id,
    ociVersion: '',
    bundle: '',
    rootfs: '',
    created: '',
    annotations: {},
    owner: 0,
    creating: true,
    pid: 0,
    startTime: '',
    bootId: '',
    cgroups: [],
    hooks: { poststart: [], poststop: [] },
    lane: 0,
    startIndex: 0,
    startListing: [],
    startHooks: {},
    executeIndex: 0,
  }
}

/** Reads a record. Throws StateError where it is damaged, or another version's, or another's. */
export function parseRecord(text: string, id: string): ContainerRecord {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw damaged(id, 'is no JSON')
  }
  if (typeof value !== 'object' || value === null) throw damaged(id, 'is no object')
  // First: what another version wrote is not damaged, and may well be of another shape.
  const version = 'version' in value ? value.version : undefined
  if (Number.isSafeInteger(version) && version !== RECORD_VERSION) {
    throw damaged(id, 'is of another version of tsrunc')
  }
  const member = findDamage(value)
  if (member !== undefined) throw damaged(id, `has no ${member} of the right shape`)
  const record = value as ContainerRecord
  if (record.id !== id) throw damaged(id, 'is of another container')
  return record
}

function damaged(id: string, how: string): StateError {
  return new StateError(
    `state of container ${id} is damaged: its state.json ${how}` +
      ` (hint: delete --force ${id} removes what is left)`,
  )
}
