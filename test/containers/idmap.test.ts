import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Config } from './config.ts'
import { type Bundle, describeContainers, probe, runContainer } from './rig.ts'
import { addUserNamespace, FIRST } from './user-namespace.ts'

const why = whyNot()

/** overlayfs, for one, does not know how. */
function whyNot(): string | undefined {
  const { stdout } = spawnSync('stat', ['-f', '-c', '%T', tmpdir()], { encoding: 'utf8' })
  const type = stdout.trim()
  return ['ext2/ext3', 'xfs', 'btrfs', 'tmpfs'].includes(type)
    ? undefined
    : `${tmpdir()} is on ${type}, which has no idmapped mounts`
}

const range = (hostID: number) => [{ containerID: 0, hostID, size: 1000 }]

/** A directory of uid 1, gid 2 with a file of 3, 4 in it. */
function addMount(
  config: Config,
  { directory, rootfs }: Bundle,
  mount: Partial<Config['mounts'][number]>,
): string {
  const source = join(directory, 'source')
  mkdirSync(source)
  mkdirSync(join(rootfs, 'data'))
  writeFileSync(join(source, 'file'), '')
  chownSync(source, 1, 2)
  chownSync(join(source, 'file'), 3, 4)
  config.mounts.push({ destination: '/data', type: 'none', source, ...mount })
  return source
}

describe.skipIf(why !== undefined)(`ids of mounts${why ? ` (skipped: ${why})` : ''}`, () => {
  describeContainers('mounts.uidMappings', (runtime) => {
    if (runtime.name === 'runc') {
      it.skip('(skipped: runc 1.1 passes the mappings over)', () => {})
      return
    }

    it('are as they are mapped, without a user namespace', () => {
      const [directory, file] = probe(
        runtime,
        [
          ['stat', '/data'],
          ['stat', '/data/file'],
        ],
        (config, bundle) => {
          const mappings = { uidMappings: range(10_000), gidMappings: range(20_000) }
          addMount(config, bundle, { ...mappings, options: ['bind', 'idmap', 'ro'] })
        },
      )
      expect(directory).toMatchObject({ uid: 10_001, gid: 20_002 })
      expect(file).toMatchObject({ uid: 10_003, gid: 20_004 })
    })

    it('are those of the user namespace: what its root makes is root’s on disk', () => {
      let source = ''
      const values = probe(
        runtime,
        [
          ['stat', '/data/file'],
          ['create', '/data/made', 'x'],
        ],
        (config, bundle) => {
          addUserNamespace(config, bundle)
          source = addMount(config, bundle, { options: ['rbind', 'ridmap'] })
          chownSync(source, 0, 0)
        },
      )
      expect(values[0]).toMatchObject({ uid: 3, gid: 4 })
      expect(values[1]).toBe('ok')
      expect(statSync(join(source, 'made'))).toMatchObject({ uid: 0, gid: 0 })
    })

    it('are as they are mapped, with a user namespace', () => {
      const [directory, file] = probe(
        runtime,
        [
          ['stat', '/data'],
          ['stat', '/data/file'],
        ],
        (config, bundle) => {
          addUserNamespace(config, bundle)
          const mappings = { uidMappings: range(FIRST), gidMappings: range(FIRST) }
          addMount(config, bundle, { ...mappings, options: ['bind'] })
        },
      )
      expect(directory).toMatchObject({ uid: 1, gid: 2 })
      expect(file).toMatchObject({ uid: 3, gid: 4 })
    })

    it('may be said in the option, as crun has it', () => {
      const [directory, file] = probe(
        runtime,
        [
          ['stat', '/data'],
          ['stat', '/data/file'],
        ],
        (config, bundle) => {
          addUserNamespace(config, bundle)
          addMount(config, bundle, { options: ['bind', 'idmap=uids=@3-7-1;gids=@4-8-1'] })
        },
      )
      // What is not mapped is nobody's.
      expect(directory).toMatchObject({ uid: 65_534, gid: 65_534 })
      expect(file).toMatchObject({ uid: 7, gid: 8 })
    })

    it('of a filesystem that has no idmapped mounts are refused', () => {
      const result = runContainer(runtime, [['report']], (config, bundle) => {
        addUserNamespace(config, bundle)
        const mappings = { uidMappings: range(FIRST), gidMappings: range(FIRST) }
        addMount(config, bundle, { ...mappings, source: '/sys', options: ['bind'] })
      })
      expect(result.status).toBe(1)
      expect(result.stderr).toMatch(/\/mounts\/4: mount_setattr\(.*IDMAP.*EINVAL/)
    })
  })
})
