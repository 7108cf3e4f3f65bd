/** A mount of type `cgroup`: the container's own cgroups, in the layout that the host has. */
import { posix } from 'node:path'
import type { CgroupHierarchy } from '../../host/facts.ts'
import type {
  AttributeChange,
  BindMount,
  FilesystemParameter,
  MountFilesystem,
  Step,
} from '../../plan/steps.ts'
import type { Contribution, Planning } from '../field.ts'
import { cgroupPathOf } from '../linux/cgroups-path.ts'
import { contextOf } from '../linux/mount-label.ts'
import { hasOwnNamespace } from '../linux/namespaces.ts'
import { isOpenedByRuntime } from '../linux/user-namespace.ts'
import type { MountRequest } from './mount-request.ts'

export function planCgroupMount(request: MountRequest, planning: Planning): Contribution {
  const { mode, v2 } = planning.facts.cgroup
  if (mode === 'unified' && v2 !== undefined) {
    const { parameters } = request.wishes
    return {
      steps: [showHierarchy(v2, 'cgroup2', parameters, request.destination, request, planning)],
    }
  }
  return { steps: planLayoutOfV1(request, planning) }
}

/** A tmpfs with a directory for each hierarchy, as on the host. */
function planLayoutOfV1(request: MountRequest, planning: Planning): Step[] {
  const { destination, at: origin, wishes } = request
  const { v1, v2 } = planning.facts.cgroup
  const steps: Step[] = [makeLayoutTmpfs(request, planning)]
  for (const hierarchy of v1) {
    const name = posix.basename(hierarchy.mountpoint)
    const parameters = hierarchy.controllers.map(nameController)
    const path = `${destination}/${name}`
    steps.push(showHierarchy(hierarchy, 'cgroup', parameters, path, request, planning))
    for (const controller of hierarchy.controllers) {
      // `cpu` and `cpuacct` lead to `cpu,cpuacct`; a named hierarchy has no controllers.
      if (controller === name || controller.includes('=')) continue
      const link = `${destination}/${controller}`
      steps.push({ kind: 'make-symlink', phase: 'mounts', origin, target: name, path: link })
    }
  }
  if (v2 !== undefined) {
    const path = `${destination}/${posix.basename(v2.mountpoint)}`
    steps.push(showHierarchy(v2, 'cgroup2', [], path, request, planning))
  }
  if (wishes.attributes.set.includes('rdonly')) {
    steps.push({ kind: 'finish-readonly', phase: 'readonly', origin, destination })
  }
  return steps
}

const SAFE: AttributeChange = { set: ['nosuid', 'nodev', 'noexec'], clear: [] }
const UNCHANGED: AttributeChange = { set: [], clear: [] }

function makeLayoutTmpfs(
  { destination, at, wishes }: MountRequest,
  planning: Planning,
): MountFilesystem {
  return {
    kind: 'mount-filesystem',
    phase: 'mounts',
    origin: at,
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    parameters: [{ key: 'mode', value: '755' }, ...contextOf('tmpfs', [], planning)],
    attributes: SAFE,
    recursiveAttributes: UNCHANGED,
    propagation: wishes.propagation,
    copyUp: false,
  }
}

function nameController(controller: string): FilesystemParameter {
  return controller.startsWith('name=')
    ? { key: 'name', value: controller.slice('name='.length) }
    : { key: controller }
}

/**
 * In a cgroup namespace of its own a mount shows the container's cgroup as root. Without one it
 * would show the host's whole hierarchy, so the container's directory is bound instead.
 */
function showHierarchy(
  hierarchy: CgroupHierarchy,
  type: 'cgroup' | 'cgroup2',
  parameters: readonly FilesystemParameter[],
  destination: string,
  { at: origin, wishes }: MountRequest,
  planning: Planning,
): MountFilesystem | BindMount {
  const { attributes, recursiveAttributes, propagation } = wishes
  const common = { origin, destination, attributes, recursiveAttributes, propagation } as const
  if (hasOwnNamespace('cgroup', planning)) {
    const source = 'cgroup'
    return {
      kind: 'mount-filesystem',
      phase: 'mounts',
      ...common,
      type,
      source,
      parameters,
      copyUp: false,
    }
  }
  const { closed, mountpoint } = hierarchy
  const source = posix.join(mountpoint, closed ?? cgroupPathOf(planning))
  const sourceKind = 'directory'
  return {
    kind: 'bind-mount',
    phase: 'mounts',
    ...common,
    // The caller's own is not the container's to change (CVE-2023-25809).
    ...(closed !== undefined && { attributes: withReadonly(attributes) }),
    source,
    sourceKind,
    recursive: false,
    ...(isOpenedByRuntime(planning) && { openedBy: 'runtime' }),
  }
}

function withReadonly({ set, clear }: AttributeChange): AttributeChange {
  return { set: [...new Set([...set, 'rdonly' as const])], clear }
}
