/**
 * What a record read from disk must look like. Only root writes there, so that what is checked is
 * damage, not malice; but `delete` kills and removes what a record names, so that all of it counts.
 */
import type { ListedInstruction } from '../lower/listing.ts'
import type { RunHook } from '../plan/steps.ts'
import type { ContainerRecord, RecordedCgroup, RecordedListener, RecordedUnit } from './record.ts'

type Check = (value: unknown) => boolean

/** A check for every member, or it does not compile. */
type Shape<T> = { readonly [Member in keyof Required<T>]: Check }

const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
/** -1 where the program has no such instruction. */
const isIndex: Check = (value) => value === -1 || isCount(value)

/** Joined to another path, it must stay below it. */
const isAbsolutePath: Check = (value) =>
  typeof value === 'string' &&
  value.startsWith('/') &&
  !value.split('/').some((name) => name === '..' || name === '.')

/** Whatever it names, `delete` stops: scopes alone. */
export const isUnitName: Check = (value) =>
  typeof value === 'string' && /^[A-Za-z0-9:_.\\-]+\.scope$/.test(value)

function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check)
}

function mapOf(check: Check): Check {
  return (value) => isObject(value) && Object.values(value).every(check)
}

function shapedAs(shape: Readonly<Record<string, Check>>): Check {
  return (value) => isObject(value) && findWrongMember(value, shape) === undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function findWrongMember(value: object, shape: Readonly<Record<string, Check>>) {
  const members = new Map(Object.entries(value))
  return Object.entries(shape).find(([member, check]) => !check(members.get(member)))?.[0]
}

const HOOK: Shape<RunHook> = {
  kind: (value) => value === 'run-hook',
  phase: isText,
  origin: isText,
  hook: isText,
  path: isText,
  args: listOf(isText),
  env: listOf(isText),
  timeout: optional((value) => typeof value === 'number'),
  stdout: optional(isText),
  stderr: optional(isText),
  status: isText,
}

const CGROUP: Shape<RecordedCgroup> = {
  hierarchy: isAbsolutePath,
  path: isAbsolutePath,
  version: (value) => value === 1 || value === 2,
  missing: listOf(isAbsolutePath),
}

const UNIT: Shape<RecordedUnit> = { name: isUnitName, userBus: optional(isText) }

const INSTRUCTION: Shape<ListedInstruction> = {
  origin: isText,
  op: isText,
  text: isText,
  syscall: optional(isText),
  reason: optional(isText),
}

const LISTENER: Shape<RecordedListener> = {
  meet: isCount,
  origin: isText,
  path: isText,
  metadata: isText,
}

const hooks = listOf(shapedAs(HOOK))

const RECORD: Shape<ContainerRecord> = {
  version: isCount,
  id: isText,
  ociVersion: isText,
  bundle: isText,
  rootfs: isText,
  created: isText,
  annotations: mapOf(isText),
  owner: isCount,
  creating: isFlag,
  pid: isCount,
  startTime: isText,
  bootId: isText,
  cgroups: listOf(shapedAs(CGROUP)),
  resctrlGroups: optional(listOf(isAbsolutePath)),
  unit: optional(shapedAs(UNIT)),
  hooks: shapedAs({ poststart: hooks, poststop: hooks }),
  lane: isCount,
  startIndex: isIndex,
  startListing: listOf(shapedAs(INSTRUCTION)),
  startHooks: mapOf(shapedAs(HOOK)),
  startListener: optional(shapedAs(LISTENER)),
  executeIndex: isIndex,
  foreignExecutable: optional(isText),
}

/** The first member that is missing or of another shape; undefined when all are right. */
export function findDamage(record: object): string | undefined {
  return findWrongMember(record, RECORD)
}
