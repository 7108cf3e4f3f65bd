import { describe, expect, test } from 'vitest'
import type { Mount } from '../../src/config/spec.ts'
import type { Contribution, Planning } from '../../src/fields/field.ts'
import { mounts } from '../../src/fields/mounts.ts'
import { issuesOf, planning } from './facts.ts'

function plan(list: readonly Mount[], from: Planning = planning()): Contribution {
  if (!('plan' in mounts)) throw new Error('mounts is planned')
  return mounts.plan(list, '/mounts', { ...from, spec: { ...from.spec, mounts: list } })
}

const NONE = { set: [], clear: [] }
const TMPFS = {
  kind: 'mount-filesystem',
  phase: 'mounts',
  origin: '/mounts/0',
  destination: '/tmp',
  type: 'tmpfs',
  source: 'tmpfs',
  parameters: [],
  attributes: NONE,
  recursiveAttributes: NONE,
  propagation: [],
  copyUp: false,
}
const BIND = {
  kind: 'bind-mount',
  phase: 'mounts',
  origin: '/mounts/0',
  source: '/srv',
  sourceKind: 'directory',
  destination: '/data',
  recursive: false,
  attributes: NONE,
  recursiveAttributes: NONE,
  propagation: [],
}

describe('mounts of filesystems', () => {
  test('parameters, flags and attributes each go their way', () => {
    const options = ['nosuid', 'sync', 'mode=1777', 'size=64k', 'rprivate', 'tmpcopyup']
    const { steps } = plan([{ destination: '/tmp/', type: 'tmpfs', source: 'shm', options }])
    expect(steps).toEqual([
      {
        ...TMPFS,
        source: 'shm',
        parameters: [
          { key: 'sync' },
          { key: 'mode', value: '1777' },
          { key: 'size', value: '64k' },
        ],
        attributes: { set: ['nosuid'], clear: [] },
        propagation: [{ propagation: 'private', recursive: true }],
        copyUp: true,
      },
    ])
  })

  test('without a source the type stands for it; a relative destination is below the root', () => {
    expect(plan([{ destination: 'tmp', type: 'tmpfs' }]).steps).toEqual([
      { ...TMPFS, inheritsMode: true },
    ])
  })

  test('ro is of the superblock too where there is a device', () => {
    const options = ['ro', 'nodelalloc']
    const [step] =
      plan([{ destination: '/x', type: 'ext4', source: '/dev/sdb', options }]).steps ?? []
    expect(step).toMatchObject({
      parameters: [{ key: 'ro' }, { key: 'nodelalloc' }],
      attributes: { set: ['rdonly'] },
    })
  })

  test('a read-only mount that something lies in becomes read-only at the end', () => {
    const options = ['ro', 'nosuid']
    const list = [
      { destination: '/sys', type: 'sysfs', options },
      { destination: '/sys/fs/cgroup', type: 'tmpfs', options },
      { destination: '/system', type: 'tmpfs' },
    ]
    const { steps = [] } = plan(list)
    const sets = steps.map((step) => ('attributes' in step ? step.attributes.set : step))
    expect(sets).toEqual([
      ['nosuid'],
      { kind: 'finish-readonly', phase: 'readonly', origin: '/mounts/0', destination: '/sys' },
      ['rdonly', 'nosuid'],
      [],
    ])
  })

  test('twenty thousand read-only mounts do not take the square of their time', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => ({
      destination: `/mnt/${index}`,
      type: 'tmpfs',
      options: ['ro'],
    }))
    expect(plan(list).steps).toHaveLength(list.length)
  }, 5000)

  test('our devices lie in /dev, unless /dev is bound', () => {
    const kinds = (list: Mount[]) => plan(list).steps?.map(({ kind }) => kind)
    const options = ['ro']
    expect(kinds([{ destination: '/dev', type: 'tmpfs', options }])).toEqual([
      'mount-filesystem',
      'finish-readonly',
    ])
    const bound = { destination: '/dev/', source: '/srv', options: ['bind', 'ro'] }
    expect(kinds([bound])).toEqual(['bind-mount'])
  })

  test('a read-only tmpfs is writable until it is filled', () => {
    const options = ['ro', 'tmpcopyup']
    const { steps } = plan([{ destination: '/tmp', type: 'tmpfs', options }])
    expect(steps).toEqual([
      { ...TMPFS, copyUp: true },
      { kind: 'finish-readonly', phase: 'readonly', origin: '/mounts/0', destination: '/tmp' },
    ])
  })

  test('tmpcopyup elsewhere is warned of, a missing type is refused', () => {
    const copy = plan([{ destination: '/x', type: 'ramfs', options: ['tmpcopyup'] }])
    expect(copy.warnings).toHaveLength(1)
    expect(issuesOf(plan([{ destination: '/x', source: '/srv' }]))).toEqual([
      '/mounts/0/type: a filesystem type, or the option bind, found nothing',
    ])
  })
})

describe('bind mounts', () => {
  test('a relative source is relative to the bundle', () => {
    const from = planning({ facts: { paths: new Map([['/bundle/data', 'file']]) } })
    const { steps } = plan([{ destination: '/data', source: 'data', options: ['rbind'] }], from)
    expect(steps).toEqual([
      { ...BIND, source: '/bundle/data', sourceKind: 'file', recursive: true },
    ])
  })

  test('the type alone makes a bind mount as well', () => {
    expect(plan([{ destination: '/data', type: 'bind', source: '/srv' }]).steps).toEqual([BIND])
  })

  test('attributes and propagation are the mount’s own', () => {
    const options = ['bind', 'ro', 'rro', 'exec', 'sync', 'rshared']
    const { steps } = plan([{ destination: '/data', type: 'none', source: '/srv', options }])
    expect(steps).toEqual([
      {
        ...BIND,
        attributes: { set: ['rdonly'], clear: ['noexec'] },
        recursiveAttributes: { set: ['rdonly'], clear: [] },
        propagation: [{ propagation: 'shared', recursive: true }],
      },
    ])
  })

  test('parameters of a filesystem have no effect, which is a warning', () => {
    const options = ['bind', 'size=1']
    const { steps, warnings } = plan([{ destination: '/data', source: '/srv', options }])
    expect(steps).toEqual([BIND])
    expect(warnings).toEqual(['/mounts/0/options/1: size=1 has no effect on a bind mount'])
  })

  test('a missing source and no source are refused', () => {
    const bind = { destination: '/data', source: '/srv' }
    expect(issuesOf(plan([{ ...bind, source: '/gone', options: ['bind'] }]))).toEqual([
      '/mounts/0/source: an existing path of the host, found nothing at /gone',
    ])
    expect(issuesOf(plan([{ destination: '/data', type: 'bind' }]))).toEqual([
      '/mounts/0: a source: it is what a bind mount shows',
    ])
  })
})

describe('what is refused of mounts', () => {
  test('the root itself, and most of what lies in /proc', () => {
    const at = (destination: string) =>
      issuesOf(plan([{ destination, source: '/srv', options: ['bind'] }]))
    expect(at('/a/..')).toEqual(['/mounts/0/destination: a path below /, found "/a/.."'])
    expect(at('/proc/sys')).toHaveLength(1)
    expect(at('/proc//cpuinfo/')).toEqual([])
    expect(at('/process')).toEqual([])
  })

  test('anything but procfs at /proc', () => {
    const proc = { destination: '/proc' }
    expect(issuesOf(plan([{ ...proc, type: 'tmpfs' }]))).toHaveLength(1)
    expect(issuesOf(plan([{ ...proc, source: '/srv', options: ['bind'] }]))).toHaveLength(1)
    expect(issuesOf(plan([{ ...proc, type: 'proc' }]))).toEqual([])
  })

  test('ids of anything but a bind mount are not mapped', () => {
    expect(issuesOf(plan([{ destination: '/a', type: 'tmpfs', options: ['idmap'] }]))).toEqual([
      '/mounts/0/options/0: a bind mount: only they are idmapped',
    ])
  })
})

describe('an entry that changes what is mounted', () => {
  const REMOUNT = {
    kind: 'remount',
    phase: 'mounts',
    origin: '/mounts/0',
    destination: '/data',
    parameters: [],
    attributes: NONE,
    recursiveAttributes: NONE,
    propagation: [],
  }

  test('with bind is about that mount alone', () => {
    const options = ['bind', 'remount', 'ro', 'nosuid', 'size=1m']
    expect(plan([{ destination: '/data', options }]).steps).toEqual([
      { ...REMOUNT, attributes: { set: ['rdonly', 'nosuid'], clear: [] } },
    ])
  })

  test('without bind is about its filesystem, too', () => {
    const options = ['remount', 'ro', 'sync', 'size=1m']
    const data = { destination: '/data', options }
    const words = [{ key: 'sync' }, { key: 'size', value: '1m' }]
    const attributes = { set: ['rdonly'], clear: [] }
    const step = { ...REMOUNT, attributes }
    expect(plan([{ ...data, type: 'tmpfs' }]).steps).toEqual([{ ...step, parameters: words }])
    expect(plan([{ ...data, type: 'ext4' }]).steps).toEqual([
      { ...step, parameters: [{ key: 'ro' }, ...words] },
    ])
  })

  test('may be about /proc and the root, which no other mount may cover', () => {
    for (const destination of ['/', '/proc', '/proc/sys']) {
      expect(issuesOf(plan([{ destination, options: ['remount', 'nosuid'] }]))).toEqual([])
    }
  })

  test('waits with ro until everything below is made', () => {
    const steps = plan([
      { destination: '/data', options: ['remount', 'ro'] },
      { destination: '/data/sub', type: 'tmpfs' },
    ]).steps
    expect(steps?.map(({ kind }) => kind)).toEqual([
      'remount',
      'finish-readonly',
      'mount-filesystem',
    ])
    expect(steps?.[0]).toMatchObject({ attributes: NONE })
  })
})

describe('a source that is a link', () => {
  const bind = (...options: string[]) =>
    plan([{ destination: '/data', source: '/srv/link', options: ['bind', ...options] }]).steps

  test('becomes a link of the same target', () => {
    expect(bind('copy-symlink')).toEqual([
      {
        kind: 'make-symlink',
        phase: 'mounts',
        origin: '/mounts/0',
        target: '../data',
        path: '/data',
      },
    ])
  })

  test('is shown itself', () => {
    expect(bind('src-nofollow', 'dest-nofollow')).toEqual([
      { ...BIND, source: '/srv/link', sourceKind: 'file', nofollow: true, sourceNofollow: true },
    ])
  })

  test('no link, no difference', () => {
    const options = ['bind', 'copy-symlink', 'src-nofollow']
    expect(plan([{ destination: '/data', source: '/srv', options }]).steps).toEqual([BIND])
  })
})
