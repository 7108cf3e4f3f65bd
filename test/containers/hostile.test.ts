/** What images and containers do to escape their runtime, or to be more trouble than they should. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import {
  createContainer,
  describeContainers,
  globalFlags,
  invoke,
  listContainerDirectories,
  probe,
  readState,
  runContainer,
  waitForStatus,
  waitUntil,
} from './rig.ts'

const odd = (text: string): Buffer => Buffer.from(text.replace('?', '\xff'), 'latin1')

describeContainers('a hostile image', (runtime) => {
  it.each([
    ['/proc', { type: 'bind', options: ['bind'] }],
    ['/proc/self/attr', { type: 'bind', options: ['rbind'] }],
    ['proc/sys', { type: 'tmpfs', source: 'tmpfs' }],
  ] as const)('that links a volume to %s is refused (CVE-2019-16884)', (target, mount) => {
    const { status, stdout, stderr } = runContainer(runtime, [['report']], (config, own) => {
      symlinkSync(target, join(own.rootfs, 'data'))
      mkdirSync(join(own.directory, 'volume'))
      config.mounts.push({
        destination: '/data',
        source: join(own.directory, 'volume'),
        ...mount,
        options: 'options' in mount ? [...mount.options] : [],
      })
    })
    // runc 1.1 looks at bind mounts only.
    if (runtime.name === 'runc' && target === 'proc/sys') return
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    if (runtime.name === 'runc') return
    expect(stderr).toContain('/data leads into /proc by a symbolic link (CVE-2019-16884)')
    expect(stderr).toContain('/mounts/4')
  })

  it('a host tree that brings its own /proc may have it bound over', () => {
    const [names] = probe(runtime, [['list', '/host/proc']], (config, { directory }) => {
      mkdirSync(join(directory, 'volume'))
      config.mounts.push(
        { destination: '/host', type: 'bind', source: '/', options: ['bind', 'ro'] },
        { destination: '/host/proc', type: 'bind', source: '/proc', options: ['rbind', 'ro'] },
      )
    })
    expect(names).toContain('uptime')
  })

  it('a script may name an interpreter whose path is not UTF-8', () => {
    const [report] = probe(runtime, [], (config, { rootfs }) => {
      copyFileSync(inject('probe'), odd(`${rootfs}/interpreter?`))
      writeFileSync(join(rootfs, 'script'), odd('#!/interpreter? report\n'), { mode: 0o755 })
      config.process.args = ['/script']
    })
    expect(report).toMatchObject({ pid: 1 })
  })

  // runc 1.1 copies names as the bytes that they are, too.
  it('tmpcopyup takes names and links that are not UTF-8 as they are', () => {
    const [names] = probe(runtime, [['list', '/data']], (config, { rootfs }) => {
      mkdirSync(join(rootfs, 'data'))
      writeFileSync(odd(`${rootfs}/data/file?`), 'x')
      symlinkSync(odd('to?'), odd(`${rootfs}/data/link?`))
      config.mounts.push({ destination: '/data', type: 'tmpfs', options: ['tmpcopyup'] })
    })
    expect(names).toHaveLength(2)
  })
})

describeContainers('a hostile container', (runtime) => {
  // runc 1.1 takes it for stopped, will not kill it, and deletes its state while it runs on.
  it.skipIf(runtime.name === 'runc')('is not stopped when only its first thread left', async () => {
    const { id } = createContainer(runtime, [['leave']])
    expect(invoke(runtime, ['start', id]).status).toBe(0)
    const { pid } = readState(runtime, id)
    const isZombie = () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
    await waitUntil('its first thread to leave', isZombie)
    expect(readState(runtime, id)).toMatchObject({ pid, status: 'running' })
    expect(invoke(runtime, ['delete', id]).status).toBe(1)
    expect(invoke(runtime, ['kill', id, 'KILL'])).toMatchObject({ status: 0, stderr: '' })
    await waitForStatus(runtime, id, 'stopped')
  })

  const frozen = 'one that froze itself in a cgroup below its own is killed'
  const freezer = '/sys/fs/cgroup/freezer'
  const hasFreezer = existsSync(`${freezer}/cgroup.procs`)
  // On v2 who is frozen can be killed. With runc 1.1 it stays, also after delete --force.
  it.skipIf(runtime.name === 'runc' || !hasFreezer).each(['', '--all'])(
    `${frozen}${hasFreezer ? '' : ' (skipped: no freezer of cgroup v1)'} %s`,
    async (flag) => {
      const { id } = createContainer(
        runtime,
        [
          ['mkdir', `${freezer}/below`],
          ['write', `${freezer}/below/cgroup.procs`, '0'],
          ['write', `${freezer}/below/freezer.state`, 'FROZEN'],
          ['sleep', '60'],
        ],
        (config) => {
          config.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' })
        },
      )
      expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stderr: '' })
      const { pid } = readState(runtime, id)
      const isFrozen = () => readFileSync(`/proc/${pid}/status`, 'utf8').includes('State:\tD')
      await waitUntil('it to be frozen', isFrozen)
      const kill = ['kill', ...(flag === '' ? [] : [flag]), id, 'KILL']
      expect(invoke(runtime, kill)).toMatchObject({ status: 0, stderr: '' })
      await waitForStatus(runtime, id, 'stopped')
    },
  )

  it.each(['a hook of its image', 'a stopped process'])(
    'delete --force ends a start that waits for %s',
    async (what) => {
      const { id, pid } = createContainer(runtime, [['sleep', '60']], (config) => {
        if (what !== 'a hook of its image') return
        const hook = { path: '/probe', args: ['probe', 'sleep', '60'] }
        config.hooks = { startContainer: [hook] }
      })
      if (what === 'a stopped process') process.kill(pid, 'SIGSTOP')
      const words = [...globalFlags(), 'start', id]
      const starting = once(spawn(runtime.path, words, { stdio: 'ignore' }), 'exit')
      const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      if (what === 'a hook of its image') await waitUntil('the hook', () => children() !== '')
      else await new Promise((done) => setTimeout(done, 500))
      const { status, stderr } = invoke(runtime, ['delete', '--force', id], { timeout: 15_000 })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      // runc does not wait for its init's hooks.
      const expected = runtime.name === 'runc' ? expect.any(Number) : 1
      expect((await starting)[0]).toEqual(expected)
      expect(listContainerDirectories()).not.toContain(id)
    },
  )
})
