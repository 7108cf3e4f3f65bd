import { describe, expect, test } from 'vitest'
import type { BindMount, MountFilesystem, Step } from '../../src/plan/steps.ts'
import { lowerLast, ROOT, textsOf } from './listing.ts'

const NOTHING = { set: [], clear: [] } as const
const AT = { origin: '/test' } as const
const onto = 'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH'

const TMPFS: MountFilesystem = {
  ...AT,
  kind: 'mount-filesystem',
  phase: 'mounts',
  destination: '/dev',
  type: 'tmpfs',
  source: 'shm',
  parameters: [{ key: 'size', value: '64k' }, { key: 'ro' }],
  attributes: { set: ['nosuid', 'noexec'], clear: ['nodev'] },
  recursiveAttributes: { set: ['strictatime'], clear: ['noexec'] },
  propagation: [{ propagation: 'shared', recursive: false }],
  copyUp: false,
}

const BIND: BindMount = {
  ...AT,
  kind: 'bind-mount',
  phase: 'mounts',
  source: '/srv',
  sourceKind: 'directory',
  destination: '/data',
  recursive: true,
  attributes: NOTHING,
  recursiveAttributes: NOTHING,
  propagation: [],
}

describe('the listing of each kind of mount', () => {
  test('the rootfs is bound onto its own path as a slave', () => {
    expect(textsOf(ROOT)).toEqual([
      'rootfs = open_tree(AT_FDCWD, "/bundle/rootfs", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
      'mount_setattr(rootfs, "", AT_EMPTY_PATH|AT_RECURSIVE, {MS_SLAVE}, 32)',
      'target = openat(AT_FDCWD, "/bundle/rootfs", O_PATH|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC, 0)',
      `move_mount(rootfs, "", target</bundle/rootfs>, "", ${onto})`,
      'close(target</bundle/rootfs>)',
    ])
  })

  test('a shared parent is looked for upwards', () => {
    const listing = lowerLast({ ...ROOT, privateParent: true } as Step)
    const [first, second, third] = listing
    expect(first?.text).toBe('mount_setattr(AT_FDCWD, "/bundle/rootfs", 0, {MS_PRIVATE}, 32)')
    expect(first?.branches).toBe('EINVAL: upwards, success: private')
    expect(second?.text).toContain('"/bundle"')
    expect(third?.text).toContain('"/"')
    expect(third?.branches).toBeUndefined()
  })

  test('a filesystem is completed while it is detached, then attached once', () => {
    expect(textsOf(ROOT, TMPFS)).toEqual([
      'fs<tmpfs shm on /dev> = fsopen("tmpfs", FSOPEN_CLOEXEC)',
      'fsconfig(fs<tmpfs shm on /dev>, FSCONFIG_SET_STRING, "source", "shm", 0)',
      'fsconfig(fs<tmpfs shm on /dev>, FSCONFIG_SET_STRING, "size", "64k", 0)',
      'fsconfig(fs<tmpfs shm on /dev>, FSCONFIG_SET_FLAG, "ro", NULL, 0)',
      'fsconfig(fs<tmpfs shm on /dev>, FSCONFIG_CMD_CREATE, NULL, NULL, 0)',
      'mount<tmpfs shm on /dev> = fsmount(fs<tmpfs shm on /dev>, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID|MOUNT_ATTR_STRICTATIME)',
      'close(fs<tmpfs shm on /dev>)',
      'mount_setattr(mount<tmpfs shm on /dev>, "", AT_EMPTY_PATH, {MS_SHARED}, 32)',
      'target = mkpath(rootfs, "/dev", directory)',
      `move_mount(mount<tmpfs shm on /dev>, "", target</dev>, "", ${onto})`,
      'close(target</dev>)',
      'close(mount<tmpfs shm on /dev>)',
    ])
  })

  test('a parameter of more than 255 bytes makes it a mount(2)', () => {
    const value = 'x'.repeat(256)
    const parameters = [
      { key: 'lowerdir', value },
      { key: 'ro' },
      { key: 'async' },
      { key: 'flag' },
    ]
    expect(textsOf(ROOT, { ...TMPFS, parameters, propagation: [] })).toEqual([
      'target = mkpath(rootfs, "/dev", directory)',
      'fchdir(target</dev>)',
      `mount("shm", .</dev>, "tmpfs", MS_NOSUID|MS_STRICTATIME|MS_RDONLY, "lowerdir=${value.slice(9)}…")`,
      'close(target</dev>)',
    ])
  })

  test('a bind mount changes what it must in as few calls as can be', () => {
    const calls = (more: Partial<BindMount>): string[] =>
      textsOf(ROOT, { ...BIND, ...more }).filter((text) => text.startsWith('mount_setattr'))
    const readOnly = { set: ['rdonly'], clear: ['noatime'] } as const
    expect(calls({})).toEqual([
      'mount_setattr(mount</srv on /data>, "", AT_EMPTY_PATH|AT_RECURSIVE, {MS_SLAVE}, 32)',
    ])
    expect(calls({ attributes: readOnly, recursive: false })).toEqual([
      'mount_setattr(mount</srv on /data>, "", AT_EMPTY_PATH, ' +
        '{set MOUNT_ATTR_RDONLY, clear MOUNT_ATTR__ATIME, MS_SLAVE}, 32)',
    ])
    const propagation = [
      { propagation: 'private', recursive: true },
      { propagation: 'shared', recursive: false },
    ] as const
    expect(calls({ recursiveAttributes: { set: ['nodev'], clear: [] }, propagation })).toEqual([
      'mount_setattr(mount</srv on /data>, "", AT_EMPTY_PATH|AT_RECURSIVE, {set MOUNT_ATTR_NODEV, MS_PRIVATE}, 32)',
      'mount_setattr(mount</srv on /data>, "", AT_EMPTY_PATH, {MS_SHARED}, 32)',
    ])
  })
})
