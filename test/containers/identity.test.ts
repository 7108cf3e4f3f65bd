import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import {
  createBundle,
  describeContainers,
  freshId,
  globalFlags,
  probe,
  probeArguments,
} from './rig.ts'
import { addUserNamespace } from './user-namespace.ts'

interface Report {
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly umask: string
  readonly hostname: string
  readonly domainname: string
  readonly cwd: string
  readonly env: readonly string[]
  readonly noNewPrivileges: number
  readonly oomScoreAdj: string
  readonly keyring: string
  readonly pid: number
  readonly sid: number
  readonly fds: readonly number[]
  readonly blocked: readonly number[]
  readonly ignored: readonly number[]
}

describeContainers('process and hostname', (runtime) => {
  const report = (
    ...args: Parameters<typeof probe> extends [unknown, unknown, ...infer R] ? R : never
  ) => probe(runtime, [['report']], ...args)[0] as Report

  it('hostname is what the config says', () => {
    expect(
      report((config) => {
        config.hostname = 'web1'
      }).hostname,
    ).toBe('web1')
  })

  it('the process is pid 1 and leads a session', () => {
    expect(report()).toMatchObject({ pid: 1, sid: 1 })
  })

  it('no descriptor but stdio is open, no signal blocked or ignored', () => {
    expect(report()).toMatchObject({ fds: [0, 1, 2], blocked: [], ignored: [] })
  })

  it('user gives all ids, additional groups and the umask', () => {
    const seen = report((config) => {
      config.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 7], umask: 0o027 }
    })
    expect(seen.uids).toEqual([1000, 1000, 1000])
    expect(seen.gids).toEqual([1001, 1001, 1001])
    expect([...seen.groups].sort()).toEqual([5, 7])
    expect(seen.umask).toBe('27')
  })

  it('without umask it is 0022, without additionalGids no group is left', () => {
    expect(report()).toMatchObject({ umask: '22', groups: [] })
  })

  it('env is exactly what the config says, with HOME added', () => {
    const seen = report((config) => {
      config.process.env = ['A=1', 'PATH=/bin', 'EMPTY=']
    })
    expect([...seen.env].sort()).toEqual(['A=1', 'EMPTY=', 'HOME=/', 'PATH=/bin'])
  })

  it('HOME comes from the passwd of the container', () => {
    const seen = report((config, { rootfs }) => {
      writeFileSync(
        join(rootfs, 'etc/passwd'),
        'x:x:7:7::/wrong:\nme:x:1000:1000::/home/me:/bin/sh\n',
      )
      config.process.user = { uid: 1000, gid: 1000 }
    })
    expect(seen.env).toContain('HOME=/home/me')
  })

  it('HOME is the bytes that passwd has, unless no path can be as long', () => {
    const lines = `me:x:1000:1000::/home/jörg:/bin/sh\nother:x:1001:1001::/${'a'.repeat(5000)}:\n`
    const homeOf = (uid: number) =>
      report((config, { rootfs }) => {
        writeFileSync(join(rootfs, 'etc/passwd'), lines)
        config.process.user = { uid, gid: uid }
      }).env.find((entry) => entry.startsWith('HOME='))
    expect(homeOf(1000)).toBe('HOME=/home/jörg')
    // runc 1.1 passes it on.
    if (runtime.name !== 'runc') expect(homeOf(1001)).toBe('HOME=/')
  })

  it('HOME of the config wins', () => {
    const seen = report((config) => {
      config.process.env = ['HOME=/mine']
    })
    expect(seen.env).toEqual(['HOME=/mine'])
  })

  it('cwd is made when it is missing', () => {
    const [seen, status] = probe(runtime, [['report'], ['stat', '/a/b']], (config) => {
      config.process.cwd = '/a/b'
    })
    expect(seen).toMatchObject({ cwd: '/a/b' })
    expect(status).toMatchObject({ type: 'directory', mode: '755' })
  })

  it('noNewPrivileges is set as asked', () => {
    expect(report().noNewPrivileges).toBe(1)
    expect(
      report((config) => {
        config.process.noNewPrivileges = false
      }).noNewPrivileges,
    ).toBe(0)
  })

  it('oomScoreAdj is set as asked', () => {
    expect(
      report((config) => {
        config.process.oomScoreAdj = 321
      }).oomScoreAdj,
    ).toBe('321\n')
  })

  it('without oomScoreAdj it is the one of the caller', () => {
    const own = readFileSync('/proc/self/oom_score_adj', 'utf8')
    expect(report().oomScoreAdj).toBe(own)
  })

  it('a session keyring is made, unless --no-new-keyring', () => {
    expect(report().keyring).toMatch(/^_ses\.tsrunc-test-/)
    expect(report(undefined, { flags: ['--no-new-keyring'] }).keyring).not.toMatch(/^_ses\.tsrunc/)
  })

  it.skipIf(runtime.name === 'runc')('domainname is what the config says (not in runc 1.1)', () => {
    expect(
      report((config) => {
        config.domainname = 'example.org'
      }).domainname,
    ).toBe('example.org')
  })

  it('a relative args[0] is looked up in PATH of the container', () => {
    const [seen] = probe(runtime, [['report']], (config) => {
      config.process.args[0] = 'probe'
      config.process.env = ['PATH=/nowhere:/']
    })
    expect(seen).toMatchObject({ args: ['probe', 'report'] })
  })

  // crun 1.8.1 gives the host's /dev/null to the root of a user namespace and fails here. The device
  // is one of the test's own, so that a runtime which does the same harms nobody.
  it.each(['a user', 'a user namespace'])('stdio of a device stays the host’s: %s', (which) => {
    const bundle = createBundle((config, own) => {
      config.process.args = probeArguments([['report']])
      config.process.user = { uid: 1000, gid: 1000 }
      if (which === 'a user namespace') addUserNamespace(config, own)
    })
    // Not below /tmp, where devices may not be opened (nodev).
    const device = `/dev/tsrunc-test-${process.pid}`
    onTestFinished(() => rmSync(device, { force: true }))
    expect(spawnSync('mknod', ['-m', '666', device, 'c', '1', '3']).status).toBe(0)
    const fd = openSync(device, 'r+')
    const words = [...globalFlags(), 'run', '--bundle', bundle.directory]
    const run = spawnSync(runtime.path, [...words, freshId(runtime)], {
      stdio: [fd, 'pipe', fd],
      encoding: 'utf8',
      timeout: 30_000,
    })
    closeSync(fd)
    expect(run.stdout).toContain('"uids"')
    const { uid, gid, mode } = statSync(device)
    expect([uid, gid, mode & 0o777]).toEqual([0, 0, 0o666])
  })
})
