import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import { type Bundle, describeContainers, type Patch, probe, runContainer } from './rig.ts'

interface MountLine {
  readonly root: string
  readonly options: readonly string[]
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
  readonly superOptions: readonly string[]
}

/** The last mount at a place, as /proc/self/mountinfo tells of it. */
function mountAt(mounts: string, place: string): MountLine | undefined {
  const fields = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((words) => words[4] === place)
  if (fields === undefined) return undefined
  const separator = fields.indexOf('-')
  return {
    root: fields[3] ?? '',
    options: (fields[5] ?? '').split(','),
    propagation: fields.slice(6, separator),
    type: fields[separator + 1] ?? '',
    source: fields[separator + 2] ?? '',
    superOptions: (fields[separator + 3] ?? '').split(','),
  }
}

type Mount = Config['mounts'][number]

const add =
  (...mounts: Mount[]): Patch =>
  (config) => {
    config.mounts.push(...mounts)
  }

/** A directory of the host with a file in it, as a bind source. */
function makeSource({ directory }: Bundle): string {
  const source = join(directory, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'from the host')
  return source
}

describeContainers('mounts', (runtime) => {
  function mountOf(place: string, patch: Patch): MountLine | undefined {
    const [report] = probe(runtime, [['report']], patch)
    return mountAt((report as { mounts: string }).mounts, place)
  }

  it.each([
    ['proc', '/proc'],
    ['tmpfs', '/dev'],
    ['devpts', '/dev/pts'],
    ['sysfs', '/sys'],
  ])('%s is mounted at %s', (type, place) => {
    expect(mountOf(place, () => {})?.type).toBe(type)
  })

  it('mqueue is mounted where it is asked for', () => {
    const patch = add({ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' })
    expect(mountOf('/dev/mqueue', patch)?.type).toBe('mqueue')
  })

  it('a tmpfs takes its own options beside the flags', () => {
    const options = ['nosuid', 'nodev', 'noexec', 'mode=1770', 'size=64k']
    const [status, report] = probe(
      runtime,
      [['stat', '/data'], ['report']],
      add({ destination: '/data', type: 'tmpfs', source: 'scratch', options }),
    )
    expect(status).toMatchObject({ type: 'directory', mode: '1770' })
    const mount = mountAt((report as { mounts: string }).mounts, '/data')
    expect(mount?.source).toBe('scratch')
    expect(mount?.superOptions).toContain('size=64k')
    expect(mount?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']))
  })

  it.each([
    ['ro', 'ro'],
    ['nosuid', 'nosuid'],
    ['nodev', 'nodev'],
    ['noexec', 'noexec'],
    ['noatime', 'noatime'],
    ['nodiratime', 'nodiratime'],
    ['relatime', 'relatime'],
  ])('the option %s of a tmpfs is in force', (option, seen) => {
    const mount = mountOf('/data', add({ destination: '/data', type: 'tmpfs', options: [option] }))
    expect(mount?.options).toContain(seen)
  })

  it('an option and its opposite: the last one counts', () => {
    const options = ['ro', 'nosuid', 'rw', 'suid']
    const mount = mountOf('/data', add({ destination: '/data', type: 'tmpfs', options }))
    expect(mount?.options).toContain('rw')
    expect(mount?.options).not.toContain('nosuid')
  })

  it.each([
    ['sync', 'sync'],
    ['dirsync', 'dirsync'],
    ['lazytime', 'lazytime'],
  ])('the option %s is one of the filesystem', (option, seen) => {
    const mount = mountOf('/data', add({ destination: '/data', type: 'tmpfs', options: [option] }))
    expect([...(mount?.superOptions ?? []), ...(mount?.options ?? [])]).toContain(seen)
  })

  it('a bind mount shows the directory of the host', () => {
    const [content, written] = probe(
      runtime,
      [
        ['read', '/data/file'],
        ['create', '/data/new', 'x'],
      ],
      (config, bundle) => {
        config.mounts.push({ destination: '/data', source: makeSource(bundle), options: ['bind'] })
      },
    )
    expect([content, written]).toEqual(['from the host', 'ok'])
  })

  it('a bind mount of a file makes a file as its destination', () => {
    const [content, status] = probe(
      runtime,
      [
        ['read', '/new/dir/file'],
        ['stat', '/new/dir'],
      ],
      (config, bundle) => {
        const source = join(makeSource(bundle), 'file')
        config.mounts.push({ destination: '/new/dir/file', source, options: ['bind'] })
      },
    )
    expect(content).toBe('from the host')
    expect(status).toMatchObject({ type: 'directory', mode: '755', uid: 0, gid: 0 })
  })

  it.each(['ro', 'nosuid', 'nodev', 'noexec', 'noatime'])(
    'the option %s of a bind is in force',
    (option) => {
      const mount = mountOf('/data', (config, bundle) => {
        const options = ['bind', option]
        config.mounts.push({ destination: '/data', source: makeSource(bundle), options })
      })
      expect(mount?.options).toContain(option)
    },
  )

  it('a read-only bind cannot be written', () => {
    const [written] = probe(runtime, [['create', '/data/new', 'x']], (config, bundle) => {
      const options = ['rbind', 'ro']
      config.mounts.push({ destination: '/data', source: makeSource(bundle), options })
    })
    expect(written).toBe('EROFS')
  })

  it('a source relative to the bundle is one of the bundle', () => {
    const [content] = probe(runtime, [['read', '/data/file']], (config, bundle) => {
      makeSource(bundle)
      config.mounts.push({ destination: '/data', source: 'source', options: ['bind'] })
    })
    expect(content).toBe('from the host')
  })

  it.each([
    ['private', /^$/],
    ['shared', /shared:\d+/],
    ['slave', /^$|master:\d+/],
  ])('propagation %s', (option, seen) => {
    const options = [option]
    const mount = mountOf('/data', add({ destination: '/data', type: 'tmpfs', options }))
    expect(mount?.propagation.join(' ')).toMatch(seen)
  })

  it('rbind takes the mounts below along, bind does not', () => {
    const counts = ['rbind', 'bind'].map((option) => {
      const [names] = probe(runtime, [['list', '/data']], (config) => {
        config.mounts.push({ destination: '/data', source: '/dev', options: [option, 'rprivate'] })
      })
      return (names as string[]).length
    })
    const [names] = probe(runtime, [['list', '/data/pts']], (config) => {
      config.mounts.push({ destination: '/data', source: '/dev', options: ['bind', 'rprivate'] })
    })
    expect(counts.every((count) => count > 0)).toBe(true)
    expect(names).toEqual([])
  })

  it('a destination behind a link stays inside the root', () => {
    const [content, inside] = probe(
      runtime,
      [
        ['read', '/link/file'],
        ['read', '/tmp/deep/file'],
      ],
      (config, bundle) => {
        symlinkSync('/tmp/deep', join(bundle.rootfs, 'link'))
        mkdirSync(join(bundle.rootfs, 'tmp/deep'))
        config.mounts.push({ destination: '/link', source: makeSource(bundle), options: ['bind'] })
      },
    )
    expect([content, inside]).toEqual(['from the host', 'from the host'])
  })

  it('a destination behind a dangling link is made inside the root', () => {
    const [content] = probe(runtime, [['read', '/run/resolv/conf']], (config, bundle) => {
      symlinkSync('../run/resolv/conf', join(bundle.rootfs, 'etc/resolv.conf'))
      const source = join(makeSource(bundle), 'file')
      config.mounts.push({ destination: '/etc/resolv.conf', source, options: ['bind', 'ro'] })
    })
    expect(content).toBe('from the host')
  })

  it('a link that climbs out of the root ends at the root', () => {
    const [content] = probe(runtime, [['read', '/escaped/file']], (config, bundle) => {
      symlinkSync('../../../../../escaped', join(bundle.rootfs, 'way-out'))
      mkdirSync(join(bundle.rootfs, 'escaped'))
      config.mounts.push({ destination: '/way-out', source: makeSource(bundle), options: ['bind'] })
    })
    expect(content).toBe('from the host')
  })

  it('proc is not mounted through a link', () => {
    const result = runContainer(runtime, [['report']], (config, bundle) => {
      symlinkSync('/tmp', join(bundle.rootfs, 'link'))
      config.mounts.push({ destination: '/link', type: 'proc', source: 'proc' })
    })
    expect(result.status).toBe(1)
  })

  it('nothing but known files is mounted below /proc', () => {
    const result = runContainer(
      runtime,
      [['report']],
      add({ destination: '/proc/sys', source: '/tmp', options: ['bind'] }),
    )
    expect(result.status).toBe(1)
  })

  it('cgroup shows the own cgroups of the container', () => {
    const options = ['nosuid', 'noexec', 'nodev', 'relatime', 'ro']
    const [names] = probe(
      runtime,
      [['list', '/sys/fs/cgroup']],
      add({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }),
    )
    const own = readFileSync('/proc/self/cgroup', 'utf8')
    const expected = own.includes(':memory:') ? 'memory' : 'cgroup.procs'
    expect(names).toContain(expected)
  })

  it('tmpcopyup starts with what was there', () => {
    const [content] = probe(runtime, [['read', '/data/sub/file']], (config, { rootfs }) => {
      mkdirSync(join(rootfs, 'data/sub'), { recursive: true })
      writeFileSync(join(rootfs, 'data/sub/file'), 'from the image')
      config.mounts.push({ destination: '/data', type: 'tmpfs', options: ['tmpcopyup'] })
    })
    expect(content).toBe('from the image')
  })

  // runc 1.1 gives it that mode in any case.
  it.skipIf(runtime.name === 'runc')('a tmpfs has the mode of what it covers, or its own', () => {
    const cover = (...options: string[]) => {
      const [stat] = probe(runtime, [['stat', '/data']], (config, { rootfs }) => {
        mkdirSync(join(rootfs, 'data'))
        chmodSync(join(rootfs, 'data'), 0o751)
        config.mounts.push({ destination: '/data', type: 'tmpfs', options })
      })
      return stat
    }
    expect(cover()).toMatchObject({ mode: '751' })
    expect(cover('mode=0700')).toMatchObject({ mode: '700' })
    expect(cover('tmpcopyup')).toMatchObject({ mode: '751', uid: 0 })
    const own = ['mode=0700', 'uid=5', 'gid=6']
    expect(cover('tmpcopyup', ...own)).toMatchObject({ mode: '700', uid: 5, gid: 6 })
    const missing = { destination: '/missing', type: 'tmpfs' }
    const [stat] = probe(runtime, [['stat', '/missing']], (config) => config.mounts.push(missing))
    expect(stat).toMatchObject({ mode: '1777' })
  })

  it('a missing source is an error that names it', () => {
    const result = runContainer(
      runtime,
      [['report']],
      add({ destination: '/data', source: '/nowhere/at/all', options: ['bind'] }),
    )
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('/nowhere/at/all')
  })

  it('a filesystem that the kernel does not know is an error', () => {
    const result = runContainer(
      runtime,
      [['report']],
      add({ destination: '/data', type: 'nosuchfs', source: 'x' }),
    )
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/nosuchfs|no such device|ENODEV/)
  })
})

describeContainers('root and rootfsPropagation', (runtime) => {
  it('root.readonly makes / read-only and nothing else', () => {
    const written = probe(
      runtime,
      [
        ['create', '/new', 'x'],
        ['create', '/dev/new', 'x'],
      ],
      (config) => {
        config.root.readonly = true
      },
    )
    expect(written).toEqual(['EROFS', 'ok'])
  })

  it('/ is writable otherwise', () => {
    expect(probe(runtime, [['create', '/new', 'x']])).toEqual(['ok'])
  })

  it('the old root is gone: nothing of the host is mounted', () => {
    const [report] = probe(runtime, [['report']])
    const places = (report as { mounts: string }).mounts
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[4])
    expect(places.sort()).toEqual(['/', '/dev', '/dev/pts', '/proc', '/sys'])
  })

  it('--no-pivot gives the same view', () => {
    const [names] = probe(runtime, [['list', '/']], undefined, { flags: ['--no-pivot'] })
    expect((names as string[]).sort()).toEqual(['dev', 'etc', 'probe', 'proc', 'sys', 'tmp'])
  })

  // runc 1.1 applies it to the host's root alone: not to a rootfs on another filesystem.
  const propagations = [
    ['private', /^$/],
    ['slave', /^$|master/],
    ['rslave', /^$|master/],
    ['shared', /shared/],
    ['rshared', /shared/],
    ['unbindable', /unbindable/],
  ] as const
  it.each(propagations.slice(0, runtime.name === 'runc' ? 3 : propagations.length))(
    'rootfsPropagation %s',
    (propagation, seen) => {
      const [report] = probe(runtime, [['report']], (config) => {
        config.linux.rootfsPropagation = propagation
      })
      const root = mountAt((report as { mounts: string }).mounts, '/')
      expect(root?.propagation.join(' ')).toMatch(seen)
    },
  )

  it.each(['private', 'slave', 'shared'] as const)(
    'with rootfsPropagation %s no mount of the container shows on the host',
    (propagation) => {
      const before = readFileSync('/proc/self/mountinfo', 'utf8')
      probe(runtime, [['report']], (config) => {
        config.linux.rootfsPropagation = propagation
      })
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before)
    },
  )
})
