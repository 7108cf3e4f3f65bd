/** `--cgroup-manager disabled`, a flag of crun's, as podman's `--cgroups=disabled` gives it. */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultDriver, isUnified } from './cgroup-drivers.ts'
import {
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  type Patch,
  probe,
  probeArguments,
  type Runtime,
  readState,
  runContainer,
  unifiedCgroup,
  waitForStatus,
} from './rig.ts'

const options = { globals: ['--cgroup-manager', 'disabled'] }

function whyNot({ name }: Runtime): string | undefined {
  if (defaultDriver().name === 'systemd') return 'the other driver is asked for'
  if (name === 'runc') return 'runc has no such flag'
  // "cgroups in hybrid mode not supported"
  return name === 'crun' && !isUnified ? 'crun wants cgroup v2 alone' : undefined
}

describeContainers('--cgroup-manager disabled', (runtime) => {
  const why = whyNot(runtime)
  describe.skipIf(why !== undefined)(`makes no cgroup${why ? ` (skipped: ${why})` : ''}`, () => {
    define(runtime)
  })
})

function define(runtime: Runtime): void {
  const isOurs = runtime.name === 'tsrunc'
  const call = (...args: string[]) => invoke(runtime, args, options)
  const start = (patch?: Patch) => {
    const container = createContainer(runtime, [['sleep', '100000']], patch, options)
    expect(call('start', container.id)).toMatchObject({ status: 0, stderr: '' })
    return container
  }

  it('the container, and what enters it, is in the cgroup of the caller', () => {
    const { id, pid, bundle } = start()
    const own = readFileSync('/proc/self/cgroup', 'utf8')
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toBe(own)
    const inside = call('exec', id, ...probeArguments([['read', '/proc/self/cgroup']]))
    expect(JSON.parse(inside.stdout)).toEqual([own])
    const made = [unifiedCgroup(bundle), cgroupDirectory('pids', bundle)]
    expect(made.filter((path) => path !== undefined && existsSync(path))).toEqual([])
  })

  it('kill --all and delete need none', async () => {
    const { id, pid } = start()
    // crun lists nobody: "the container is not using cgroups".
    if (isOurs) expect(JSON.parse(call('ps', '--format', 'json', id).stdout)).toEqual([pid])
    expect(call('kill', '--all', id, 'KILL')).toMatchObject({ status: 0, stderr: '' })
    // crun has signalled nobody.
    if (isOurs) await waitForStatus(runtime, id, 'stopped')
    expect(call('delete', '--force', id)).toMatchObject({ status: 0, stderr: '' })
    expect(existsSync(`/proc/${pid}/exe`)).toBe(false)
  })

  it('what needs one is refused, and the cgroups above are not touched', () => {
    const { id, bundle } = start()
    const swappiness = readFileSync('/proc/sys/vm/swappiness', 'latin1').trim()
    const resources = join(bundle.directory, 'resources.json')
    const update = (wanted: object) => {
      writeFileSync(resources, JSON.stringify(wanted))
      return call('update', '--resources', resources, id)
    }
    for (const { status, stderr } of [
      call('pause', id),
      update({ pids: { limit: 1000 } }),
      // At the root these are the machine's.
      update({ memory: { swappiness: (Number(swappiness) + 1) % 100 } }),
      ...(isOurs ? [update({ devices: [{ allow: false, access: 'rwm' }] })] : []),
    ]) {
      expect(status).toBe(1)
      if (isOurs) expect(stderr).toMatch(/the container has (none|no cgroup)|need cgroup v1/)
    }
    expect(readFileSync('/proc/sys/vm/swappiness', 'latin1').trim()).toBe(swappiness)
    closeSync(openSync('/dev/null', 'r+'))
    expect(readState(runtime, id).status).toBe('running')
  })

  it('a config with limits is refused: crun lets it run without them', () => {
    const result = runContainer(
      runtime,
      [['exit', '3']],
      (config) => {
        config.linux.resources = { pids: { limit: 10n }, unified: { 'cpu.weight': '50' } }
      },
      options,
    )
    expect(result.status).toBe(isOurs ? 1 : 3)
    if (!isOurs) return
    for (const field of ['pids', 'unified']) {
      expect(result.stderr).toContain(`/linux/resources/${field}: a limit needs a cgroup`)
    }
  })

  it('rules for devices, which engines always have, are warned of', () => {
    const result = runContainer(
      runtime,
      [['open', '/dev/null', 'rw']],
      (config) => {
        config.linux.resources.devices = [{ allow: false, access: 'rwm' }]
      },
      options,
    )
    expect(result).toMatchObject({ status: 0, stdout: '["ok"]\n' })
    if (isOurs) expect(result.stderr).toContain('/linux/resources/devices: without effect')
  })

  const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' }

  it('a mount of type cgroup without a namespace shows what the caller is in, and no more', () => {
    const own = '/sys/fs/cgroup/pids'
    const [names, opened] = probe(
      runtime,
      [
        ['list', isUnified ? '/sys/fs/cgroup' : own],
        ['open', `${isUnified ? '/sys/fs/cgroup' : own}/cgroup.procs`, 'rw'],
      ],
      (config) => {
        config.mounts.push({ ...cgroup, options: ['nosuid', 'noexec', 'nodev'] })
      },
      options,
    )
    expect(names).toContain('cgroup.procs')
    if (isOurs) expect(opened).toBe('EROFS')
  })

  it('a mount of type cgroup shows a namespace', () => {
    const [path, names] = probe(
      runtime,
      [
        ['read', '/proc/self/cgroup'],
        ['list', '/sys/fs/cgroup'],
      ],
      (config) => {
        config.linux.namespaces.push({ type: 'cgroup' })
        config.mounts.push({ ...cgroup, options: ['nosuid', 'noexec', 'nodev', 'ro'] })
      },
      options,
    )
    expect(String(path)).not.toContain('bundle')
    expect(names).not.toEqual([])
  })
}
