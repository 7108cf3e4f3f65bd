/** Configs as engines write them; rootfs, host paths and cgroupsPath are changed to what is here. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { createBundleFromHost } from '../../src/engine/bundle/from-host.ts'
import { hasReference, readReference } from '../config/reference.ts'
import type { Config } from './config.ts'
import {
  type Bundle,
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  type Patch,
  readState,
  runContainer,
} from './rig.ts'

const CAP_SYS_RESOURCE = 1n << 24n

function mayRaiseLimits(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8')
  return (BigInt(`0x${/CapEff:\s*(\S+)/.exec(status)?.[1]}`) & CAP_SYS_RESOURCE) !== 0n
}

function hardLimitOfFiles(): number {
  return Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
}

/** The config of an engine in place of the rig's, on a root filesystem with `echo`. */
function adapt(text: string): Patch {
  return (config, bundle) => {
    const { cgroupsPath } = config.linux
    const theirs = JSON.parse(text) as Config
    const directory = join(bundle.directory, 'host')
    createBundleFromHost({ directory, commands: ['sh', 'echo'], optional: [], config: '' })
    Object.assign(config, theirs)
    config.root = { ...theirs.root, path: 'host/rootfs' }
    config.linux = { ...theirs.linux, cgroupsPath: String(cgroupsPath) }
    for (const mount of config.mounts) {
      if (mount.options?.some((option) => /^r?bind$/.test(option)) !== true) continue
      mount.source = makeSource(bundle, String(mount.source))
    }
    for (const hook of config.hooks?.prestart ?? []) hook.path = '/bin/true'
    if (mayRaiseLimits()) return
    config.process.rlimits = (config.process.rlimits ?? []).filter(
      ({ hard, type }) => type !== 'RLIMIT_NPROC' && hard <= hardLimitOfFiles(),
    )
  }
}

function makeSource({ directory }: Bundle, path: string): string {
  const source = join(directory, basename(path))
  if (basename(path) === 'shm') mkdirSync(source)
  else writeFileSync(source, readFileIfThere(join('/etc', basename(path))))
  return source
}

function readFileIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const limits = mayRaiseLimits() ? '' : ', its higher rlimits left out: no CAP_SYS_RESOURCE here'

describeContainers(`configs of engines${limits}`, (runtime) => {
  if (!hasReference) it.skip('(skipped: the reference material is not here)', () => {})

  const configs = readReference('engine-configs')
    // runc 1.1 fails where a capability cannot be granted; the spec wants a warning.
    .filter(
      ({ name }) => runtime.name !== 'runc' || mayRaiseLimits() || !name.includes('privileged'),
    )
    .map(({ name, text }) => [name, text] as const)
  it.each(configs)('%s runs', (_name, text) => {
    const result = runContainer(runtime, [], adapt(text))
    expect(result.stderr).not.toContain('level=error')
    expect(result).toMatchObject({ status: 0, stdout: 'ok\n' })
  })
})

describeContainers("a user's example", (runtime) => {
  const MEMORY = '/sys/fs/cgroup/memory/cgroup.procs'
  const [example] = hasReference
    ? readReference('.').filter(({ name }) => name === 'user-example-config.json')
    : []
  if (example === undefined) it.skip('(skipped: the reference material is not here)', () => {})
  const patch =
    (withSeccomp: boolean): Patch =>
    (config) => {
      const { cgroupsPath } = config.linux
      const { args } = config.process
      Object.assign(config, JSON.parse(example?.text ?? ''))
      config.process.terminal = false
      config.process.args = args
      config.linux.cgroupsPath = String(cgroupsPath)
      if (!withSeccomp) delete config.linux.seccomp
    }

  it.skipIf(example === undefined || !existsSync(MEMORY))(
    'runs with its memory and cpu limits in force',
    () => {
      const { bundle, id } = createContainer(runtime, [['report']], patch(false))
      const { cgroupsPath } = (
        JSON.parse(readFileSync(join(bundle.directory, 'config.json'), 'utf8')) as Config
      ).linux
      const read = (controller: string, file: string) =>
        readFileSync(`/sys/fs/cgroup/${controller}${cgroupsPath}/${file}`, 'utf8').trim()
      expect(read('memory', 'memory.limit_in_bytes')).toBe('536870912')
      expect(read('cpu', 'cpu.cfs_quota_us')).toBe('100000')
      expect(read('cpu', 'cpu.shares')).toBe('1024')
      expect(invoke(runtime, ['start', id]).status).toBe(0)
    },
  )

  it.skipIf(example === undefined || runtime.name === 'runc')(
    'its seccomp profile is refused before anything is made, for it denies execve',
    () => {
      const bundle = createBundle(patch(true))
      const id = freshId(runtime)
      const result = invoke(runtime, ['create', '--bundle', bundle.directory, id])
      expect(result.status).toBe(1)
      expect(result.stderr).toContain('/linux/seccomp')
      expect(result.stderr).toContain('execve')
      expect(() => readState(runtime, id)).toThrow('does not exist')
    },
  )
})
