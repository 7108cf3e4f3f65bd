/** `mounts add` and `mounts remove`, of crun: not in runc. */
import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { execValue } from './exec-rig.ts'
import {
  type Container,
  createContainer,
  describeContainers,
  invoke,
  type Patch,
  parseValues,
  type Runtime,
  waitForStatus,
} from './rig.ts'
import { addUserNamespace } from './user-namespace.ts'

const QUIET = { status: 0, stdout: '', stderr: '' }

function start(runtime: Runtime, patch: Patch = () => {}): Container {
  const container = createContainer(runtime, [['hold', '0']], patch)
  expect(invoke(runtime, ['start', container.id])).toMatchObject(QUIET)
  return container
}

function change(runtime: Runtime, verb: string, id: string, mounts: readonly object[]) {
  return invoke(runtime, ['mounts', verb, id, '-'], { input: JSON.stringify({ mounts }) })
}

function mountsOf(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n')
  return lines.map((line) => line.split(' ')[4] ?? '')
}

describeContainers('mounts add and remove', (runtime) => {
  if (runtime.name === 'runc') {
    it.skip('(runc has no such command)', () => {})
    return
  }

  it.each(['of its own', 'with a user namespace'])('in a running container %s', (kind) => {
    const patch: Patch = kind === 'of its own' ? () => {} : addUserNamespace
    const { id, pid, bundle } = start(runtime, patch)
    writeFileSync(join(bundle.directory, 'file'), 'of the host')
    const before = mountsOf(pid)
    const host = mountsOf(process.pid)
    const mounts = [
      { destination: '/tmp/data', source: bundle.directory, options: ['rbind', 'ro'] },
      { destination: '/tmp/file', source: join(bundle.directory, 'file'), options: ['bind'] },
      { destination: '/tmp/space', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] },
    ]
    expect(change(runtime, 'add', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).toEqual([...before, '/tmp/data', '/tmp/file', '/tmp/space'])
    expect(mountsOf(process.pid).filter((path) => path.startsWith(bundle.directory))).toEqual(
      host.filter((path) => path.startsWith(bundle.directory)),
    )
    expect(execValue(runtime, id, ['read', '/tmp/data/file'])).toBe('of the host')
    expect(execValue(runtime, id, ['read', '/tmp/file'])).toBe('of the host')
    expect(execValue(runtime, id, ['create', '/tmp/data/new', 'x'])).toBe('EROFS')
    expect(execValue(runtime, id, ['create', '/tmp/space/new', 'x'])).toBe('ok')
    expect(change(runtime, 'remove', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).toEqual(before)
    const left = execValue(runtime, id, ['list', '/tmp']) as string[]
    expect(left.toSorted()).toEqual(['data', 'file', 'space'])
  })

  it('in a container that waits for start; its program finds them', async () => {
    const { id, bundle, stdout } = createContainer(runtime, [['read', '/tmp/file']])
    const source = join(bundle.directory, 'file')
    writeFileSync(source, 'early')
    const mounts = [{ destination: '/tmp/file', source, options: ['bind'] }]
    expect(change(runtime, 'add', id, mounts)).toMatchObject(QUIET)
    invoke(runtime, ['start', id])
    await waitForStatus(runtime, id, 'stopped')
    expect(parseValues(stdout())).toEqual(['early'])
  })

  it('procfs is that of the container, not of the host', () => {
    const { id } = start(runtime)
    const proc = { destination: '/tmp/proc', type: 'proc', source: 'proc' }
    expect(change(runtime, 'add', id, [proc])).toMatchObject(QUIET)
    expect(execValue(runtime, id, ['read', '/tmp/proc/1/cmdline'])).toContain('/probe')
  })

  it('a link in the container leads nowhere else', () => {
    const { id, pid, bundle } = start(runtime)
    symlinkSync('../../../../../../etc', join(bundle.rootfs, 'tmp', 'link'))
    const mounts = [{ destination: '/tmp/link/below', type: 'tmpfs', source: 'tmpfs' }]
    expect(change(runtime, 'add', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid).at(-1)).toBe('/etc/below')
    expect(change(runtime, 'remove', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).not.toContain('/etc/below')
  })

  it.each([
    ['/proc', 'sys'],
    ['/sys', 'firmware'],
  ])('a directory that is swapped for a link to %s does not take a guard off', (target, name) => {
    const { id, pid, bundle } = start(runtime, (config) => {
      config.linux.readonlyPaths = ['/proc/sys']
      config.linux.maskedPaths = ['/sys/firmware']
    })
    const before = mountsOf(pid)
    const data = join(bundle.rootfs, 'tmp', 'data')
    const mounts = [{ destination: `/tmp/data/${name}`, type: 'tmpfs', source: 'tmpfs' }]
    const remount = { ...mounts[0], options: ['remount', 'rw'] }
    const refused = {
      status: 1,
      stderr: expect.stringContaining('leads into a filesystem of the kernel by a symbolic link'),
    }
    expect(change(runtime, 'add', id, mounts)).toMatchObject(QUIET)
    renameSync(data, `${data}-away`)
    symlinkSync(target, data)
    expect(change(runtime, 'remove', id, mounts)).toMatchObject(refused)
    if (name === 'sys') expect(change(runtime, 'add', id, [remount])).toMatchObject(refused)
    rmSync(data)
    renameSync(`${data}-away`, data)
    expect(change(runtime, 'add', id, [remount])).toMatchObject(QUIET)
    expect(change(runtime, 'remove', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).toEqual(before)
  })

  it('what was mounted in /proc or /sys is unmounted', () => {
    const { id, pid, bundle } = start(runtime)
    const before = mountsOf(pid)
    const source = join(bundle.directory, 'config.json')
    const destinations = ['/proc/uptime', '/sys/kernel/notes']
    const mounts = destinations.map((destination) => ({ destination, source, options: ['bind'] }))
    expect(change(runtime, 'add', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).toEqual([...before, ...destinations])
    expect(change(runtime, 'remove', id, mounts)).toMatchObject(QUIET)
    expect(mountsOf(pid)).toEqual(before)
  })

  it('says which of several failed, and which are done all the same', () => {
    const { id, pid } = start(runtime)
    const good = { destination: '/tmp/a', type: 'tmpfs', source: 'tmpfs' }
    const bad = { destination: '/tmp/b', type: 'tmpfs', source: 'tmpfs', options: ['size=none'] }
    const { status, stderr } = change(runtime, 'add', id, [good, bad])
    expect(status).toBe(1)
    expect(stderr).toMatch(
      new RegExp(`mounts add ${id}: /mounts/1: fsconfig.*EINVAL.*; done already: /mounts/0`),
    )
    expect(mountsOf(pid)).toContain('/tmp/a')
    const none = change(runtime, 'remove', id, [{ destination: '/tmp' }])
    expect(none.stderr).toMatch(
      /\/mounts\/0: umount2\(.*\): EINVAL \(hint: nothing is mounted there/,
    )
  })

  it('what is wrong with the file is told before anything is done', () => {
    const { id, pid } = start(runtime)
    const before = mountsOf(pid)
    const missing = { destination: '/tmp/a', source: '/no/such', options: ['bind'] }
    const good = { destination: '/tmp/b', type: 'tmpfs', source: 'tmpfs' }
    const proc = { destination: '/proc', type: 'tmpfs', source: 'tmpfs' }
    const { status, stderr } = change(runtime, 'add', id, [good, missing, proc])
    expect(status).toBe(1)
    expect(stderr).toMatch(/stdin:1:\d+: \/mounts\/1\/source: .*stdin:1:\d+: \/mounts\/2: /)
    expect(mountsOf(pid)).toEqual(before)
    const root = change(runtime, 'remove', id, [{ destination: '/tmp/..' }])
    expect(root.stderr).toContain('/mounts/0/destination: expected a path below /')
    const input = '{"mounts": {}}'
    expect(invoke(runtime, ['mounts', 'add', id, '-'], { input }).stderr).toContain(
      '/mounts: expected',
    )
    expect(invoke(runtime, ['mounts', 'change', id, '-']).stderr).toContain(
      'mounts takes add or remove',
    )
  })

  it('needs a container that runs, with mounts of its own', async () => {
    const tmpfs = [{ destination: '/tmp/a', type: 'tmpfs', source: 'tmpfs' }]
    expect(change(runtime, 'add', 'tsrunc-test-unknown', tmpfs).stderr).toContain('does not exist')
    const { id } = createContainer(runtime, [['report']])
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    expect(change(runtime, 'add', id, tmpfs).stderr).toContain(
      'cannot mount in a stopped container',
    )
  })
})
