import type { FilesystemParameter } from '../../plan/steps.ts'
import type { Contribution, Planning } from '../field.ts'
import { contextOf, mountLabelOf } from '../linux/mount-label.ts'
import type { MountRequest } from './mount-request.ts'

/**
 * Filesystems without a device behind them: `ro` is of the mount alone. Their superblocks may be
 * shared with other mounts (sysfs, mqueue, proc), and what lies in a tmpfs has still to be made.
 */
const VIRTUAL: ReadonlySet<string> = new Set([
  'bpf',
  'cgroup2',
  'configfs',
  'debugfs',
  'devpts',
  'devtmpfs',
  'fusectl',
  'hugetlbfs',
  'mqueue',
  'proc',
  'pstore',
  'ramfs',
  'securityfs',
  'sysfs',
  'tmpfs',
  'tracefs',
])

export function isVirtual(type: string): boolean {
  return VIRTUAL.has(type)
}

export function planFilesystem(
  { mount, at, destination, wishes }: MountRequest,
  planning: Planning,
): Contribution {
  const type = mount.type ?? ''
  if (type === '' || type === 'none') {
    const expected = 'a filesystem type, or the option bind'
    return { issues: [{ pointer: `${at}/type`, expected, found: type === '' ? 'nothing' : type }] }
  }
  const label = mountLabelOf(planning)
  const copyUp = wishes.copyUp && type === 'tmpfs'
  const warnings =
    wishes.copyUp && !copyUp
      ? [`${at}: tmpcopyup has no effect on type ${type}, only on tmpfs`]
      : []
  const readonly: FilesystemParameter[] =
    wishes.attributes.set.includes('rdonly') && !isVirtual(type) ? [{ key: 'ro' }] : []
  return {
    warnings,
    steps: [
      {
        kind: 'mount-filesystem',
        phase: 'mounts',
        origin: at,
        destination,
        type,
        source: mount.source === undefined || mount.source === '' ? type : mount.source,
        parameters: [
          ...readonly,
          ...wishes.superblock,
          ...wishes.parameters,
          ...contextOf(type, wishes.parameters, planning),
        ],
        attributes: wishes.attributes,
        recursiveAttributes: wishes.recursiveAttributes,
        propagation: wishes.propagation,
        copyUp,
        ...(wishes.destinationNofollow && { nofollow: true }),
        ...(type === 'mqueue' && label !== undefined && { label }),
      },
    ],
  }
}
