import type { Mount } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import { isBind } from '../host/questions.ts'
import type { Step } from '../plan/steps.ts'
import { cleanPath, isBelow } from './container-path.ts'
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
  return merge(configured.map((_mount, index) => planMount(configured, index, at, planning)))
}

function planMount(
  configured: readonly Mount[],
  index: number,
  pointer: Pointer,
  planning: Planning,
): Contribution {
  const mount = configured[index]
  if (mount === undefined) return {}
  const at = `${pointer}/${index}`
  const request: MountRequest = {
    mount,
    at,
    destination: cleanPath(mount.destination),
    wishes: parseMountOptions(mount.options ?? []),
  }
  const isChanged = request.wishes.remount
  const issues = [...checkIds(request), ...(isChanged ? [] : checkDestination(request))]
  if (issues.length > 0) return { issues }
  return planByKind(request, configured.slice(index + 1), planning)
}

function planByKind(
  request: MountRequest,
  later: readonly Mount[],
  planning: Planning,
): Contribution {
  if (request.wishes.remount) {
    return finishReadonlyLater(planRemount(request), request, later, planning)
  }
  if (isBind(request.mount)) {
    return finishReadonlyLater(planBind(request, planning), request, later, planning)
  }
  if (request.mount.type === 'cgroup') return planCgroupMount(request, planning)
  return finishReadonlyLater(planFilesystem(request, planning), request, later, planning)
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
function finishReadonlyLater(
  contribution: Contribution,
  { destination, wishes, at }: MountRequest,
  later: readonly Mount[],
  planning: Planning,
): Contribution {
  if (!wishes.attributes.set.includes('rdonly')) return contribution
  const made = [
    ...later.map((mount) => cleanPath(mount.destination)),
    ...devicePaths(planning),
    ...(planning.options.notifyDirectory === undefined ? [] : [NOTIFY_DESTINATION]),
  ]
  const isFilledLater = wishes.copyUp || made.some((path) => isBelow(path, destination))
  if (!isFilledLater || contribution.steps === undefined) return contribution
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
