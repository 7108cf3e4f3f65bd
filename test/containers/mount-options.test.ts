/** Options beyond those that every engine uses: of runc, and of crun alone. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import { type Bundle, describeContainers, type Patch, probe, runContainer } from './rig.ts'

type Mount = Config['mounts'][number]

const add =
  (...mounts: Mount[]): Patch =>
  (config) => {
    config.mounts.push(...mounts)
  }

/** The options of the last mount at a place, those of its filesystem behind them. */
function optionsAt(report: unknown, place: string): readonly string[] {
  const lines = (report as { mounts: string }).mounts.split('\n').map((line) => line.split(' '))
  const words = lines.findLast((line) => line[4] === place) ?? []
  return [...(words[5] ?? '').split(','), ...(words.at(-1) ?? '').split(',')]
}

/** A directory with a file, and a link to it. */
function makeLink({ directory }: Bundle): { link: string; source: string } {
  const source = join(directory, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'from the host')
  symlinkSync('source', join(directory, 'link'))
  return { source, link: join(directory, 'link') }
}

const DATA: Mount = { destination: '/data', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] }

describeContainers('mounts: remount', (runtime) => {
  it('with bind changes the mount alone', () => {
    const again: Mount = { destination: '/data', options: ['bind', 'remount', 'ro', 'nosuid'] }
    const [report, written] = probe(
      runtime,
      [['report'], ['create', '/data/x', 'x']],
      add(DATA, again),
    )
    expect(optionsAt(report, '/data')).toEqual(expect.arrayContaining(['ro', 'nosuid', 'rw']))
    expect(written).toBe('EROFS')
  })

  it('without bind changes the filesystem', () => {
    const options = ['remount', 'size=128k', 'noexec']
    const again = { destination: '/data', type: 'tmpfs', source: 'tmpfs', options }
    const [report] = probe(runtime, [['report']], add(DATA, again))
    expect(optionsAt(report, '/data')).toEqual(expect.arrayContaining(['size=128k', 'noexec']))
  })

  it('where nothing is mounted is an error', () => {
    const again: Mount = { destination: '/etc', options: ['bind', 'remount', 'ro'] }
    const { status, stderr } = runContainer(runtime, [['report']], add(again))
    expect(status).toBe(1)
    if (runtime.name === 'tsrunc') expect(stderr).toMatch(/\/mounts\/4: mount_setattr\(.*EINVAL/)
  })
})

describeContainers('mounts: flags of mount(2)', (runtime) => {
  // crun passes words that it does not know to the filesystem, which refuses them.
  const words = ['iversion', 'noiversion', 'silent', 'loud', 'nolazytime', 'acl', 'noacl']
  it.runIf(runtime.name !== 'crun')('those without a trace in mountinfo are taken', () => {
    const options = [...words, 'mand', 'nomand', 'async', 'nostrictatime', 'lazytime']
    const [report] = probe(runtime, [['report']], add({ ...DATA, options }))
    expect(optionsAt(report, '/data')).toContain('lazytime')
  })

  it('of filesystem and mount at once, by mount(2)', () => {
    const options = ['silent', 'noexec', 'sync', 'size=64k']
    if (runtime.name === 'crun') options.shift()
    const [report] = probe(runtime, [['report']], add({ ...DATA, options }))
    const expected = ['noexec', 'sync', 'size=64k']
    expect(optionsAt(report, '/data')).toEqual(expect.arrayContaining(expected))
  })
})

// runc 1.1 passes these words to the filesystem, crun 1.8 forgets them: they are of crun 1.9.
const notOfOld = (title: string, define: Parameters<typeof describeContainers>[1]) =>
  describeContainers(title, (runtime) => {
    if (runtime.name === 'tsrunc') define(runtime)
    else it.skip(`skipped: the ${runtime.name} of Debian 12 does not know the option`, () => {})
  })

notOfOld('mounts: copy-symlink, src-nofollow and dest-nofollow', (runtime) => {
  it('copy-symlink makes a link out of a source that is one', () => {
    const [status] = probe(runtime, [['stat', '/copy']], (config, bundle) => {
      const { link } = makeLink(bundle)
      const options = ['bind', 'copy-symlink']
      config.mounts.push({ destination: '/copy', source: link, options })
    })
    expect(status).toMatchObject({ type: 'link', target: 'source' })
  })

  it('copy-symlink of what is no link is a bind mount', () => {
    const [content] = probe(runtime, [['read', '/copy/file']], (config, bundle) => {
      const { source } = makeLink(bundle)
      config.mounts.push({ destination: '/copy', source, options: ['bind', 'copy-symlink'] })
    })
    expect(content).toBe('from the host')
  })

  it('src-nofollow shows the link itself', () => {
    const [status] = probe(runtime, [['stat', '/shown']], (config, bundle) => {
      const { link } = makeLink(bundle)
      const options = ['bind', 'src-nofollow', 'dest-nofollow']
      config.mounts.push({ destination: '/shown', source: link, options })
    })
    expect(status).toMatchObject({ type: 'link', target: 'source' })
  })

  it('dest-nofollow mounts on a link, not where it leads', () => {
    const [content, other] = probe(
      runtime,
      [
        ['read', '/name'],
        ['read', '/etc/other'],
      ],
      (config, bundle) => {
        const { source } = makeLink(bundle)
        writeFileSync(join(bundle.rootfs, 'etc', 'other'), 'of the image')
        symlinkSync('etc/other', join(bundle.rootfs, 'name'))
        const options = ['bind', 'dest-nofollow']
        config.mounts.push({ destination: '/name', source: join(source, 'file'), options })
      },
    )
    expect([content, other]).toEqual(['from the host', 'of the image'])
  })
})
