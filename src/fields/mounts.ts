import { dirname } from 'node:path/posix'
import type { Mount } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import { isBind } from '../host/questions.ts'
import type { Step } from '../plan/steps.ts'
import { cleanPath } from './container-path.ts'
import type { Contribution, Field, Planning } from './field.ts'
import { devicePaths } from './linux/devices.ts'
import { planBind } from './mounts/bind.ts'
import { planCgroupMount } from './mounts/cgroup.ts'
import { checkDestination } from './mounts/destination.ts'
import { planFilesystem } from './mounts/filesystem.ts'
import type { MountRequest } from './mounts/mount-request.ts'
import { parseMountOptions } from './mounts/options.ts'
import { planRemount } from './mounts/remount.ts'
import { NOTIFY_DESTINATION } from './notify.ts'
import { merge } from './walk.ts'

/** `mounts`: in the order of the config, since one may lie in another. */
export const mounts: Field<readonly Mount[]> = { plan: planMounts }

function planMounts(configured: readonly Mount[], at: Pointer, planning: Planning): Contribution {
  const filled = findFilled(configured, planning)
  const isFilledAfter = (index: number) => (directory: string) =>
    (filled.get(directory) ?? 0) > index
  return merge(
    configured.map((mount, index) =>
      planMount(mount, `${at}/${index}`, isFilledAfter(index), planning),
    ),
  )
}

/**
 * The directories that something is made below: where among the mounts the last of that is, beyond
 * them for what is made when all are there. Looked up, since a config may have thousands of mounts.
 */
function findFilled(configured: readonly Mount[], planning: Planning): ReadonlyMap<string, number> {
  const filled = new Map<string, number>()
  const fill = (path: string, position: number) => {
    for (let directory = path; directory !== '/'; ) {
      directory = dirname(directory)
      filled.set(directory, position)
    }
  }
  for (const [index, { destination }] of configured.entries()) fill(cleanPath(destination), index)
  for (const path of devicePaths(planning)) fill(path, configured.length)
  if (planning.options.notifyDirectory !== undefined) fill(NOTIFY_DESTINATION, configured.length)
  return filled
}

/** Whether something is still to be made below a directory. */
type IsFilledLater = (directory: string) => boolean

function planMount(
  mount: Mount,
  at: Pointer,
  isFilledLater: IsFilledLater,
  planning: Planning,
): Contribution {
  const request: MountRequest = {
    mount,
    at,
    destination: cleanPath(mount.destination),
    wishes: parseMountOptions(mount.options ?? []),
  }
  const isChanged = request.wishes.remount
  const issues = [...checkIds(request), ...(isChanged ? [] : checkDestination(request))]
  if (issues.length > 0) return { issues }
  return planByKind(request, isFilledLater, planning)
}

function planByKind(
  request: MountRequest,
  isFilledLater: IsFilledLater,
  planning: Planning,
): Contribution {
  if (request.wishes.remount) return finishReadonly(planRemount(request), request, isFilledLater)
  if (isBind(request.mount)) {
    return finishReadonly(planBind(request, planning), request, isFilledLater)
  }
  if (request.mount.type === 'cgroup') return planCgroupMount(request, planning)
  return finishReadonly(planFilesystem(request, planning), request, isFilledLater)
}

function checkIds({ mount, at, wishes }: MountRequest): Issue[] {
  if (wishes.idmap === undefined || isBind(mount)) return []
  const pointer = `${at}/options/${wishes.idmap.index}`
  return [{ pointer, expected: 'a bind mount: only they are idmapped' }]
}

/**
 * Where something of ours has still to be made below a read-only mount, the mount is made writable
 * and becomes read-only when all is in place.
 */
function finishReadonly(
  contribution: Contribution,
  { destination, wishes, at }: MountRequest,
  isFilledLater: IsFilledLater,
): Contribution {
  if (!wishes.attributes.set.includes('rdonly')) return contribution
  if (!wishes.copyUp && !isFilledLater(destination)) return contribution
  if (contribution.steps === undefined) return contribution
  const finish: Step = { kind: 'finish-readonly', phase: 'readonly', origin: at, destination }
  return { ...contribution, steps: [...contribution.steps.map(makeWritable), finish] }
}

function makeWritable(step: Step): Step {
  if (step.kind !== 'bind-mount' && step.kind !== 'mount-filesystem' && step.kind !== 'remount') {
    return step
  }
  const { set, clear } = step.attributes
  return { ...step, attributes: { set: set.filter((name) => name !== 'rdonly'), clear } }
}
