/** A config that a user asked about, on a hybrid host: only its terminal and args are changed. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hasReference, readReference } from '../config/reference.ts'
import type { Config } from './config.ts'
import { refuse } from './refusal.ts'
import {
  type Bundle,
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  listContainerDirectories,
  type Patch,
  probe,
  probeArguments,
  waitForStatus,
} from './rig.ts'

const [example] = hasReference
  ? readReference('.').filter(({ name }) => name === 'user-example-config.json')
  : []

function adapt(text: string, operations: readonly (readonly string[])[]): Patch {
  return (config) => {
    const { cgroupsPath } = config.linux
    Object.assign(config, JSON.parse(text) as Config)
    config.process.terminal = false
    config.process.args = probeArguments(operations)
    config.linux.cgroupsPath = String(cgroupsPath)
  }
}

function withoutSeccomp(text: string, operations: readonly (readonly string[])[]): Patch {
  return (config, bundle) => {
    adapt(text, operations)(config, bundle)
    delete config.linux.seccomp
  }
}

function hasController(name: string): boolean {
  return existsSync(`/sys/fs/cgroup/${name}/cgroup.procs`)
}

function read(controller: string, file: string, bundle: Bundle): string {
  return readFileSync(join(cgroupDirectory(controller, bundle) ?? '', file), 'utf8').trim()
}

describeContainers("a user's example", (runtime) => {
  if (example === undefined) {
    it.skip('(skipped: the reference material is not here)', () => {})
    return
  }
  const { text } = example
  const why = ['memory', 'cpu'].every(hasController) ? '' : ' (skipped: no v1 controllers here)'

  it.skipIf(why !== '')(`its limits are in force while it runs${why}`, async () => {
    const operations = [['report'], ['sleep', '100000']]
    const { id, bundle, pid, stdout } = createContainer(
      runtime,
      [],
      withoutSeccomp(text, operations),
    )
    expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(read('memory', 'memory.limit_in_bytes', bundle)).toBe('536870912')
    expect(read('cpu', 'cpu.shares', bundle)).toBe('1024')
    expect(read('cpu', 'cpu.cfs_quota_us', bundle)).toBe('100000')
    expect(read('cpu', 'cpu.cfs_period_us', bundle)).toBe('100000')
    for (const controller of ['memory', 'cpu']) {
      expect(read(controller, 'cgroup.procs', bundle).split('\n'), controller).toContain(`${pid}`)
    }
    expect(invoke(runtime, ['kill', id, 'KILL']).status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stderr: '' })
    expect(listContainerDirectories()).toEqual([])
    expect(stdout()).not.toContain('"killed')
  })

  it.skipIf(why !== '')(`a process that takes more memory is killed${why}`, () => {
    const operations = [
      ['memory', '64'],
      ['memory', '640'],
    ]
    expect(probe(runtime, [], withoutSeccomp(text, operations))).toEqual(['ok', 'killed by 9'])
  })

  it('what it asks for is inside', () => {
    const [report] = probe(runtime, [], withoutSeccomp(text, [['report']])) as {
      limits: unknown[]
    }[]
    expect(report).toMatchObject({
      pid: 1,
      hostname: 'my-container',
      noNewPrivileges: 1,
      seccomp: 0,
      capabilities: { effective: '20000420', bounding: '20000420' },
    })
    expect(report?.limits[7]).toEqual(['1024', '1024'])
  })

  // runc makes the container, then says "close log pipe fd 4: operation not permitted".
  it.skipIf(runtime.name === 'runc').each(['create', 'run'] as const)(
    '%s with its seccomp profile, which denies execve, is refused before anything is made',
    (command) => {
      const message = refuse(runtime, adapt(text, [['report']]), { command })
      expect(message.replace(/^\w+ \S+ /, '')).toBe(
        'config.json:109:14: execve is denied by /linux/seccomp (defaultAction SCMP_ACT_ERRNO):' +
          " the container's process could not be started",
      )
    },
  )
})
