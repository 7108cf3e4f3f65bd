import type { AttributeChange, FilesystemParameter } from '../../plan/steps.ts'
import type { Contribution, Planning } from '../field.ts'
import { contextOf, mountLabelOf } from '../linux/mount-label.ts'
import { hasOwnNamespace } from '../linux/namespaces.ts'
import { isUserNamespaced } from '../linux/user-namespace.ts'
import type { MountRequest } from './mount-request.ts'
import type { MountWishes } from './options.ts'

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
  const bindInstead = findBindInstead(type, planning)
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
        recursiveAttributes:
          bindInstead === undefined ? wishes.recursiveAttributes : protectBelow(wishes),
        propagation: wishes.propagation,
        copyUp,
        ...(inheritsMode(type, wishes) && { inheritsMode: true }),
        ...(wishes.destinationNofollow && { nofollow: true }),
        ...(type === 'mqueue' && label !== undefined && { label }),
        ...(bindInstead !== undefined && { bindInstead }),
      },
    ],
  }
}

/**
 * The kernel's own choice for a tmpfs is 1777, which opens a private directory to all: as in runc
 * and crun, it stays what it was. Nothing is ever in one that is read-only.
 */
function inheritsMode(type: string, wishes: MountWishes): boolean {
  const attributes = [...wishes.attributes.set, ...wishes.recursiveAttributes.set]
  const isGiven = wishes.parameters.some(({ key }) => key === 'mode')
  return type === 'tmpfs' && !wishes.copyUp && !isGiven && !attributes.includes('rdonly')
}

/**
 * sysfs belongs to a network namespace, proc to a pid namespace: where the container's user
 * namespace does not own that, the host's are shown. Another pid namespace's proc never is.
 */
function findBindInstead(type: string, planning: Planning): string | undefined {
  if (!isUserNamespaced(planning)) return undefined
  if (type === 'sysfs') return '/sys'
  return type === 'proc' && !hasOwnNamespace('pid', planning) ? '/proc' : undefined
}

/** What comes with the host's tree is read-only if the mount shall be (CVE-2023-25809). */
function protectBelow({ attributes, recursiveAttributes }: MountWishes): AttributeChange {
  if (!attributes.set.includes('rdonly') || recursiveAttributes.set.includes('rdonly')) {
    return recursiveAttributes
  }
  return { ...recursiveAttributes, set: [...recursiveAttributes.set, 'rdonly'] }
}
