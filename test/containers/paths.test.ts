import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeContainers, probe } from './rig.ts'

describeContainers('linux.maskedPaths and linux.readonlyPaths', (runtime) => {
  it('a masked file is empty, a masked directory too', () => {
    const seen = probe(
      runtime,
      [
        ['read', '/secret'],
        ['list', '/secrets'],
        ['create', '/secrets/new', 'x'],
        ['stat', '/secret'],
      ],
      (config, { rootfs }) => {
        writeFileSync(join(rootfs, 'secret'), 'hidden')
        mkdirSync(join(rootfs, 'secrets/deep'), { recursive: true })
        config.linux.maskedPaths = ['/secret', '/secrets', '/is/not/there']
      },
    )
    expect(seen.slice(0, 3)).toEqual(['', [], 'EROFS'])
    expect(seen[3]).toMatchObject({ type: 'char', major: 1, minor: 3 })
  })

  it('files of /proc are masked', () => {
    const [keys, zero] = probe(
      runtime,
      [
        ['read', '/proc/keys'],
        ['list', '/proc/irq'],
      ],
      (config) => {
        config.linux.maskedPaths = ['/proc/keys', '/proc/irq']
      },
    )
    expect([keys, zero]).toEqual(['', []])
  })

  it('a read-only path cannot be written, with all that is below it', () => {
    const seen = probe(
      runtime,
      [
        ['write', '/proc/sys/kernel/hostname', 'x'],
        ['create', '/fixed/new', 'x'],
        ['create', '/fixed/mount/new', 'x'],
        ['create', '/free', 'x'],
      ],
      (config, { rootfs }) => {
        mkdirSync(join(rootfs, 'fixed/mount'), { recursive: true })
        config.linux.readonlyPaths = ['/proc/sys', '/fixed', '/is/not/there']
      },
    )
    expect(seen).toEqual(['EROFS', 'EROFS', 'EROFS', 'ok'])
  })

  it('a masked path behind a link stays inside the root', () => {
    const [content] = probe(runtime, [['read', '/target']], (config, { rootfs }) => {
      writeFileSync(join(rootfs, 'target'), 'hidden')
      symlinkSync('/target', join(rootfs, 'link'))
      config.linux.maskedPaths = ['/link']
    })
    expect(content).toBe('')
  })
})
