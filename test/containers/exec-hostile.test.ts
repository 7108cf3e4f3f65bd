/** What a container may do to whoever enters it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { exec, execReport, spawnExec, startContainer } from './exec-rig.ts'
import { describeContainers, invoke, parseValues, waitUntil } from './rig.ts'

const HUGE = 1024 ** 3

/** What stands at /etc/passwd, by who made it. */
const PASSWD: Readonly<Record<string, (path: string) => void>> = {
  'a fifo': (path) => void execFileSync('mkfifo', [path]),
  'a directory': (path) => void mkdirSync(path),
  'a link to itself': (path) => void symlinkSync('passwd', path),
  'a link out of the root': (path) => void symlinkSync('/../../../../../etc/passwd', path),
  'a magic link': (path) => void symlinkSync('/proc/self/fd/0', path),
  'a device': (path) => void execFileSync('mknod', [path, 'c', '1', '5']),
  '1 GB without a line': (path) => {
    writeFileSync(path, '')
    truncateSync(path, HUGE)
  },
  'a user with signs and spaces': (path) =>
    void writeFileSync(path, 'a:x:+0:0::/sign:\nb:x: 0:0::/space:\nc:x:0x0:0::/hex:\n'),
}

describeContainers('exec into a hostile container', (runtime) => {
  // runc opens it as it is: it waits for a writer of the fifo, and reads the device without end.
  it.skipIf(runtime.name === 'runc')('whose passwd is no passwd: HOME is /', () => {
    const { id, bundle } = startContainer(runtime)
    const path = join(bundle.rootfs, 'etc/passwd')
    for (const [what, make] of Object.entries(PASSWD)) {
      rmSync(path, { recursive: true, force: true })
      make(path)
      const begin = Date.now()
      expect(execReport(runtime, id, { timeout: 10_000 }).env, what).toContain('HOME=/')
      expect(Date.now() - begin, what).toBeLessThan(5000)
    }
  })

  it('whose working directory is gone, or a link out of the root', () => {
    const { id, bundle } = startContainer(runtime, (config) => {
      config.process.cwd = '/work'
    })
    const path = join(bundle.rootfs, 'work')
    rmdirSync(path)
    const gone = exec(runtime, id, [['report']])
    expect(gone).toMatchObject({ status: 255, stdout: '' })
    expect(gone.stderr).toContain('no such file or directory')
    symlinkSync('../../../../..', path)
    expect(execReport(runtime, id).cwd).toBe('/')
    rmSync(path)
    // CVE-2024-21626
    symlinkSync('/proc/self/fd/4', path)
    const { status, stdout } = exec(runtime, id, [['report']])
    if (status === 0) expect(parseValues(stdout)[0]).toMatchObject({ fds: [0, 1, 2] })
    if (runtime.name === 'tsrunc') expect(status).toBe(255)
  })

  // runc 1.1 needs the /proc of the container.
  it.skipIf(runtime.name === 'runc')('that has no /proc, or something else there', () => {
    const { id } = startContainer(runtime, (config, { rootfs }) => {
      config.mounts = config.mounts.filter(({ destination }) => destination !== '/proc')
      mkdirSync(join(rootfs, 'proc/self/attr'), { recursive: true })
    })
    const result = exec(runtime, id, [['list', '/proc']])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(parseValues(result.stdout)).toEqual([['self']])
  })

  it('that is paused: refused, or it waits for the end of that', async () => {
    const { id } = startContainer(runtime)
    expect(invoke(runtime, ['pause', id]).status).toBe(0)
    const refused = exec(runtime, id, [['report']])
    expect(refused).toMatchObject({ status: 255, stdout: '' })
    expect(refused.stderr).toContain(
      'cannot exec in a paused container (use --ignore-paused to override)',
    )
    const child = spawnExec(runtime, id, [['exit', '3']], ['--ignore-paused'])
    const ended = new Promise((settle) => child.on('exit', settle))
    const early = new Promise((settle) => setTimeout(settle, 300, 'still there'))
    expect(await Promise.race([ended, early])).toBe('still there')
    expect(invoke(runtime, ['resume', id]).status).toBe(0)
    expect(await ended).toBe(3)
  })

  it('that is deleted meanwhile: every exec ends, and the container is gone', async () => {
    const { id, bundle } = startContainer(runtime)
    const children = Array.from({ length: 6 }, () => spawnExec(runtime, id, [['sleep', '1000']]))
    const ends = children.map((child) => new Promise<number>((end) => child.on('exit', end)))
    await new Promise((settle) => setTimeout(settle, 150))
    await waitUntil('its end', () => invoke(runtime, ['delete', '--force', id]).status === 0)
    // Killed, refused, or failed on its way: never left behind.
    for (const status of await Promise.all(ends)) expect([1, 137, 255]).toContain(status)
    expect(invoke(runtime, ['state', id]).status).toBe(1)
    const name = bundle.directory.replace(/.*\//, '')
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    expect(processes.split('\n').filter((line) => line.includes(name))).toEqual([])
  })
})
