import { describe, expect, test } from 'vitest'
import type { BindMount, MountFilesystem, Remount, Step } from '../../src/plan/steps.ts'
import { ROOT, textsOf } from './listing.ts'

const NOTHING = { set: [], clear: [] } as const
const MOUNT = {
  phase: 'mounts',
  origin: '/test',
  destination: '/data',
  attributes: NOTHING,
  recursiveAttributes: NOTHING,
  propagation: [],
} as const
const onto = 'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH'

describe('a remount', () => {
  const REMOUNT: Remount = { ...MOUNT, kind: 'remount', parameters: [] }
  const within = 'RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS'
  const opened = [
    `mount = openat2(rootfs, "/data", {O_PATH|O_CLOEXEC, ${within}|RESOLVE_NO_SYMLINKS}, 24)`,
    `mount = openat2(rootfs, "/data", {O_PATH|O_CLOEXEC, ${within}}, 24)`,
    'fstatfs(mount</data>, &fs)',
    'if fs.f_type == PROC_SUPER_MAGIC goto fail0',
    'if fs.f_type == SYSFS_MAGIC goto fail0',
    'if fs.f_type == CGROUP_SUPER_MAGIC goto fail0',
    'if fs.f_type == CGROUP2_SUPER_MAGIC goto fail0',
  ]

  test('changes the mount that is found', () => {
    expect(textsOf(ROOT, { ...REMOUNT, attributes: { set: ['rdonly'], clear: [] } })).toEqual([
      ...opened,
      'mount_setattr(mount</data>, "", AT_EMPTY_PATH, {set MOUNT_ATTR_RDONLY}, 32)',
      'close(mount</data>)',
    ])
  })

  test('and its filesystem', () => {
    const parameters = [{ key: 'ro' }, { key: 'silent' }, { key: 'size', value: '1m' }]
    expect(textsOf(ROOT, { ...REMOUNT, parameters })).toEqual([
      ...opened,
      'fs</data> = fspick(mount</data>, "", FSPICK_CLOEXEC|FSPICK_EMPTY_PATH)',
      'fsconfig(fs</data>, FSCONFIG_SET_FLAG, "ro", NULL, 0)',
      'fsconfig(fs</data>, FSCONFIG_SET_STRING, "size", "1m", 0)',
      'fsconfig(fs</data>, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0)',
      'close(fs</data>)',
      'close(mount</data>)',
    ])
  })
})

test('links at both ends are taken as they are', () => {
  const bind: BindMount = {
    ...MOUNT,
    kind: 'bind-mount',
    source: '/srv/link',
    sourceKind: 'file',
    recursive: false,
    nofollow: true,
    sourceNofollow: true,
  }
  expect(textsOf(ROOT, bind)).toEqual([
    'mount</srv/link on /data> = open_tree(AT_FDCWD, "/srv/link", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_SYMLINK_NOFOLLOW)',
    'mount_setattr(mount</srv/link on /data>, "", AT_EMPTY_PATH, {MS_SLAVE}, 32)',
    'directory = mkpath(rootfs, "/", directory)',
    'target</data> = openat2(directory</>, "data", {O_PATH|O_NOFOLLOW|O_CLOEXEC, RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS}, 24)',
    'target</data> = mkpath(directory</>, "data", file)',
    'close(directory</>)',
    `move_mount(mount</srv/link on /data>, "", target</data>, "", ${onto})`,
    'close(target</data>)',
    'close(mount</srv/link on /data>)',
  ])
})

describe('a label', () => {
  const QUEUE: MountFilesystem = {
    ...MOUNT,
    kind: 'mount-filesystem',
    type: 'mqueue',
    source: 'mqueue',
    parameters: [],
    copyUp: false,
  }

  test('is set on the root of a filesystem that takes no context', () => {
    expect(textsOf(ROOT, { ...QUEUE, label: 'a:b:c:s0' }).slice(-4)).toEqual([
      'labelled = openat2(mount<mqueue on /data>, ".", {O_RDONLY|O_DIRECTORY|O_CLOEXEC, RESOLVE_BENEATH}, 24)',
      'fsetxattr(labelled, "security.selinux", "a:b:c:s0", 9, 0)',
      'close(labelled)',
      'close(mount<mqueue on /data>)',
    ])
  })

  test('with categories is quoted where commas part the parameters', () => {
    const context = { key: 'context', value: 'a:b:c:s0:c1,c2' }
    const calls = (...parameters: MountFilesystem['parameters']) =>
      textsOf(ROOT, { ...QUEUE, type: 'tmpfs', parameters }).filter((text) =>
        /^(fsconfig.*STRING, "context"|mount\()/.test(text),
      )
    expect(calls(context)[0]).toContain('"context", "a:b:c:s0:c1,c2"')
    expect(calls(context, { key: 'silent' })[0]).toContain(
      'MS_SILENT, "context=\\"a:b:c:s0:c1,c2\\""',
    )
  })

  test('is on the tmpfs of masks', () => {
    const context = { key: 'context', value: 'a:b:c:s0' }
    const mask: Step = { kind: 'mask-path', phase: 'masks', origin: '', path: '/sys/x', context }
    expect(textsOf(ROOT, mask)).toContain(
      'fsconfig(fs, FSCONFIG_SET_STRING, "context", "a:b:c:s0", 0)',
    )
  })
})
