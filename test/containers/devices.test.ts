import { expect, it } from 'vitest'
import { describeContainers, probe } from './rig.ts'

const DEFAULTS = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
] as const

const LINKS = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
] as const

describeContainers('linux.devices', (runtime) => {
  it('every container has the default devices', () => {
    const seen = probe(
      runtime,
      DEFAULTS.map(([path]) => ['stat', path]),
    )
    DEFAULTS.forEach(([, major, minor], index) => {
      expect(seen[index]).toMatchObject({ type: 'char', major, minor, mode: '666', uid: 0, gid: 0 })
    })
  })

  it('and the links beside them', () => {
    const seen = probe(
      runtime,
      LINKS.map(([path]) => ['stat', path]),
    )
    LINKS.forEach(([, target], index) => {
      expect(seen[index]).toMatchObject({ type: 'link', target })
    })
  })

  it('/dev/ptmx leads to the own devpts', () => {
    const [status, opened] = probe(runtime, [
      ['stat', '/dev/ptmx'],
      ['open', '/dev/ptmx', 'rw'],
    ])
    expect(status).toMatchObject({ type: 'link', target: 'pts/ptmx' })
    expect(opened).toBe('ok')
  })

  it('a device of the config is made as it says, with missing directories', () => {
    const [node, fifo] = probe(
      runtime,
      [
        ['stat', '/dev/sub/mine'],
        ['stat', '/dev/pipe'],
      ],
      (config) => {
        config.linux.devices = [
          {
            path: '/dev/sub/mine',
            type: 'c',
            major: 10,
            minor: 229,
            fileMode: 0o640,
            uid: 3,
            gid: 4,
          },
          { path: '/dev/pipe', type: 'p', fileMode: 0o600 },
        ]
      },
    )
    expect(node).toMatchObject({ type: 'char', major: 10, minor: 229, mode: '640', uid: 3, gid: 4 })
    expect(fifo).toMatchObject({ type: 'fifo', mode: '600' })
  })
})

describeContainers('linux.resources.devices', (runtime) => {
  const FUSE = ['open', '/dev/mine', 'rw'] as const

  function openFuse(allow: boolean): unknown {
    const [, , result] = probe(
      runtime,
      [['open', '/dev/null', 'rw'], ['open', '/dev/zero', 'r'], [...FUSE]],
      (config) => {
        config.linux.devices = [
          { path: '/dev/mine', type: 'c', major: 10, minor: 229, fileMode: 0o666 },
        ]
        config.linux.resources.devices = [
          { allow: false, access: 'rwm' },
          ...(allow
            ? [{ allow: true, type: 'c' as const, major: 10, minor: 229, access: 'rwm' }]
            : []),
        ]
      },
    )
    return result
  }

  it('what is not allowed cannot be opened', () => {
    expect(openFuse(false)).toBe('EPERM')
  })

  it('what is allowed can', () => {
    expect(openFuse(true)).not.toBe('EPERM')
  })

  it('the default devices can always be opened, and any node made', () => {
    const seen = probe(
      runtime,
      [
        ...DEFAULTS.slice(0, 5).map(([path]) => ['open', path, 'rw']),
        ['mknod', '/dev/new', 'c', '10', '229'],
        ['open', '/dev/new', 'r'],
      ],
      (config) => {
        config.linux.resources.devices = [{ allow: false, access: 'rwm' }]
        const { capabilities } = config.process
        capabilities?.bounding?.push('CAP_MKNOD')
        capabilities?.permitted?.push('CAP_MKNOD')
        capabilities?.effective?.push('CAP_MKNOD')
      },
    )
    expect(seen).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'EPERM'])
  })
})
