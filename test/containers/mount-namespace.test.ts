import { readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import { exec, execReport, startContainer } from './exec-rig.ts'
import {
  type Bundle,
  createBundle,
  describeContainers,
  freshId,
  invoke,
  parseValues,
  probe,
  probeArguments,
  type Runtime,
  readState,
  runContainer,
} from './rig.ts'

interface Report {
  readonly namespaces: Readonly<Record<string, string>>
}

const OWN = readlinkSync('/proc/self/ns/mnt')

function withoutMountNamespace({ linux }: Config): void {
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'mount')
}

/** Of this process's namespace, those of the bundle or below it. */
function mountsOf({ directory }: Bundle): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return lines.filter((line) => line.includes(directory))
}

/**
 * The runtime, called in mounts of the caller's own, whose name it writes to the file `mnt`: there
 * runc and crun leave what they mount, and runc changes what `/` propagates.
 */
function inMountsOfItsOwn({ name, path }: Runtime, { directory }: Bundle): Runtime {
  const call = join(directory, 'call')
  const inside = `readlink /proc/self/ns/mnt > ${directory}/mnt; exec ${path} "$@"`
  const words = `unshare --mount --propagation private sh -c '${inside}' call "$@"`
  writeFileSync(call, `#!/bin/sh\nexec ${words}\n`, { mode: 0o700 })
  return { name, path: call }
}

describeContainers('linux.namespaces without mount', (runtime) => {
  it('the container is in the mount namespace of the caller, with the mounts of its config', () => {
    const operations = [['report'], ['read', '/proc/1/comm'], ['create', '/dev/x', 'y']]
    const bundle = createBundle((config) => {
      withoutMountNamespace(config)
      config.process.args = probeArguments([...operations, ['read', '/dev/x']])
    })
    const caller = inMountsOfItsOwn(runtime, bundle)
    const words = ['run', '--bundle', bundle.directory, freshId(runtime)]
    const { status, stdout, stderr } = invoke(caller, words)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const [report, ...values] = parseValues(stdout)
    const mnt = readFileSync(join(bundle.directory, 'mnt'), 'utf8').trim()
    expect(mnt).not.toBe(OWN)
    expect((report as Report).namespaces.mnt).toBe(mnt)
    expect(values).toEqual(['probe\n', expect.anything(), 'y'])
  })

  const isOurs = runtime.name === 'tsrunc'
  const why = isOurs ? '' : ' (skipped: leaves its mounts in the caller’s namespace, for good)'

  it.skipIf(!isOurs)(`nothing is mounted on the host, neither then nor later${why}`, () => {
    const container = startContainer(runtime, withoutMountNamespace)
    expect(readlinkSync(`/proc/${container.pid}/ns/mnt`)).toBe(OWN)
    expect(mountsOf(container.bundle)).toEqual([])
    process.kill(container.pid, 'SIGKILL')
    invoke(runtime, ['delete', '--force', container.id])
    expect(mountsOf(container.bundle)).toEqual([])
  })

  it.skipIf(!isOurs)(`one that fails at its last mount leaves nothing${why}`, () => {
    let bundle: Bundle | undefined
    const { status, stderr } = runContainer(runtime, [['report']], (config, own) => {
      withoutMountNamespace(config)
      config.mounts.push({ destination: '/tmp', type: 'tmpfs', options: ['size=nonsense'] })
      bundle = own
    })
    expect(status).not.toBe(0)
    expect(stderr).toContain('/mounts/4')
    expect(bundle && mountsOf(bundle)).toEqual([])
  })

  it.skipIf(!isOurs)(`a read-only root, read-only and masked paths hold${why}`, () => {
    const operations = [
      ['create', '/tmp/x', 'y'],
      ['write', '/proc/sys/kernel/domainname', 'y'],
      ['read', '/proc/version'],
      ['create', '/dev/x', 'y'],
    ]
    const values = probe(runtime, operations, (config) => {
      withoutMountNamespace(config)
      config.root.readonly = true
      config.linux.readonlyPaths = ['/proc/sys']
      config.linux.maskedPaths = ['/proc/version']
    })
    expect(values).toEqual(['EROFS', 'EROFS', '', expect.not.stringMatching('E')])
  })

  it.skipIf(!isOurs)(`exec sees the same root${why}`, () => {
    const container = startContainer(runtime, withoutMountNamespace)
    const operations = [
      ['create', '/dev/x', 'y'],
      ['read', '/dev/x'],
      ['read', '/proc/1/comm'],
    ]
    const { status, stdout, stderr } = exec(runtime, container.id, operations)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(parseValues(stdout).slice(1)).toEqual(['y', 'probe\n'])
    const report = execReport(runtime, container.id)
    expect(report.cwd).toBe('/')
    expect(report.namespaces.mnt).toBe(OWN)
    expect(readState(runtime, container.id).status).toBe('running')
  })

  it.skipIf(!isOurs)(`nothing is mounted in it from outside${why}`, () => {
    const { id } = startContainer(runtime, withoutMountNamespace)
    const mounts = [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }]
    const input = JSON.stringify({ mounts })
    const { status, stderr } = invoke(runtime, ['mounts', 'add', id, '-'], { input })
    expect(status).not.toBe(0)
    expect(stderr).toContain('no mount namespace of its own')
  })

  it.skipIf(!isOurs)(`shared propagation is refused${why}`, () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config) => {
      withoutMountNamespace(config)
      config.linux.rootfsPropagation = 'rshared'
    })
    expect(status).not.toBe(0)
    expect(stderr).toContain('/linux/rootfsPropagation: expected a mount namespace')
  })
})
