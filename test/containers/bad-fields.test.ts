/** Fields and flags with which no container can be made. */
import { spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import { checkCases, refuse } from './refusal.ts'
import { describeContainers, type Patch, probe, runContainer, stateDirectory } from './rig.ts'

function args(...words: string[]): Patch {
  return (config) => {
    config.process.args = words
  }
}

describeContainers('fields that cannot be', (runtime) => {
  const set =
    (change: (config: Config) => void): Patch =>
    (config) =>
      change(config)
  checkCases(runtime, [
    {
      name: 'no args',
      patch: args(),
      says: /^config\.json:\d+:\d+: \/process\/args: expected at least the program, found nothing$/,
    },
    {
      name: 'a relative cwd',
      patch: set((config) => {
        config.process.cwd = 'relative'
      }),
      words: /cwd/i,
      says: /^config\.json:\d+:\d+: \/process\/cwd: expected an absolute path, found "relative"$/,
    },
    {
      name: 'a cwd that is a file',
      patch: set((config) => {
        config.process.cwd = '/probe'
      }),
      words: /\/probe/,
      says: /^\/process\/cwd: chdir to cwd \("\/probe"\) failed: not a directory$/,
    },
    {
      name: 'too long a hostname',
      patch: set((config) => {
        config.hostname = 'x'.repeat(65)
      }),
      says: /^config\.json:\d+:\d+: \/hostname: expected at most 64 bytes, found "x+…"$/,
    },
    {
      name: 'a terminal that nobody takes',
      patch: set((config) => {
        config.process.terminal = true
      }),
      says: /^config\.json:\d+:\d+: cannot allocate tty if runc will detach without setting console socket \(hint: --console-socket PATH\)$/,
    },
    {
      name: 'a terminal of a size that no kernel knows',
      patch: set((config) => {
        config.process.consoleSize = { height: 65536, width: 80 }
      }),
      says: /^config\.json:\d+:\d+: \/process\/consoleSize\/height: expected 0 to 65535, found 65536$/,
    },
    {
      name: 'a mount option with an id that the user namespace does not map',
      patch: set((config) => {
        config.linux.namespaces.push({ type: 'user' })
        config.linux.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }]
        config.linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }]
      }),
      says: /^\/mounts\/2: fsconfig\(fs<devpts on \/dev\/pts>, FSCONFIG_SET_STRING, "gid", "5", 0\): EINVAL \(hint: .*\)$/,
      onlyHere: true,
    },
    {
      name: 'systemd cgroups',
      globals: ['--systemd-cgroup'],
      patch: set((config) => {
        config.linux.cgroupsPath = '/no/unit'
      }),
      says: /^(--systemd-cgroup: (units of systemd are made on hosts with cgroup v2 alone|systemd cannot be reached)|.*\/linux\/cgroupsPath: expected slice:prefix:name)/,
    },
    {
      name: 'the id that setresuid takes for no change',
      patch: set((config) => {
        config.process.user = { uid: 0xffff_ffff, gid: 0 }
      }),
      says: /^config\.json:\d+:\d+: \/process\/user\/uid: expected 0 to 4294967294, found 4294967295$/,
    },
    {
      name: 'a sysctl with a value that the kernel does not take',
      patch: set((config) => {
        config.linux.sysctl = { 'net.ipv4.ip_forward': 'nonsense' }
      }),
      says: /^\/linux\/sysctl\/net\.ipv4\.ip_forward: write\(file<\/proc\/sys\/net\/ipv4\/ip_forward>, "nonsense", 8\): EINVAL \(hint: .*\)$/,
    },
    {
      name: 'a memory limit that nothing can live with',
      patch: set((config) => {
        config.linux.resources.memory = { limit: 4096n }
      }),
      says: /^the container's process was killed (by signal 9 during .*|during .*|before its first step) \(hint: was it out of memory\? \/linux\/resources\/memory\/limit may be too low\)$/,
    },
    {
      name: 'a hook that is missing',
      patch: set((config) => {
        config.hooks = { createRuntime: [{ path: '/no/such/hook' }] }
      }),
      words: /\/no\/such\/hook/,
      says: /^config\.json:\d+:\d+: \/hooks\/createRuntime\/0\/path: expected the path of an executable file, found nothing at \/no\/such\/hook$/,
    },
    {
      name: 'a hook that fails',
      patch: set((config) => {
        const script = 'echo oops >&2; exit 3'
        config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script] }] }
      }),
      words: /oops/,
      says: /^\/hooks\/createRuntime\/0: createRuntime hook #0 \(\/bin\/sh\): exit status 3; its output: "oops"$/,
    },
  ])

  it('a user that no passwd knows is fine', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.process.user = { uid: 4242, gid: 4343 }
    })
    expect(report).toMatchObject({ uids: [4242, 4242, 4242], gids: [4343, 4343, 4343] })
  })

  it('a capability that nobody knows is a warning', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.process.capabilities?.bounding?.push('CAP_KILLL')
    })
    expect(result.status).toBe(0)
    expect(result.stderr).toMatch(/^[^\n]*level=warning[^\n]*CAP_KILLL[^\n]*\n$/)
    if (runtime.name === 'tsrunc') expect(result.stderr).toContain('(did you mean CAP_KILL?)')
  })
})

describeContainers('flags that cannot be', (runtime) => {
  const flags = (...words: string[]) => ({ flags: words })
  // runc 1.1 writes a pid file in a missing directory as late as that, too; the sockets are newer.
  checkCases(runtime, [
    {
      name: 'a pid file in a directory that is missing',
      ...flags('--pid-file', '/no/such/directory/pid'),
      words: /\/no\/such\/directory\/\.pid/,
      says: /^--pid-file: open\("\/no\/such\/directory\/\.pid\.\d+"\): ENOENT: no such file or directory$/,
    },
    {
      name: 'a pid file where no file can be',
      ...flags('--pid-file', '/proc/pid'),
      says: /^--pid-file: open\("\/proc\/\.pid\.\d+"\): E[A-Z]+: .+$/,
    },
    {
      name: 'a pidfd socket that is missing',
      ...flags('--pidfd-socket', '/no/such/socket'),
      says: /^--pidfd-socket: connect\("\/no\/such\/socket"\): ENOENT$/,
      onlyHere: true,
    },
    {
      name: 'descriptors that are not open',
      ...flags('--preserve-fds', '2'),
      descriptors: [openSync('/dev/null', 'r')],
      onlyHere: true,
      says: /^--preserve-fds: file descriptor 4 is not open \(2 asked for\)$/,
    },
  ])

  it.skipIf(runtime.name === 'runc')('a pidfd socket that nobody listens on', () => {
    const path = join(stateDirectory(), '../unheard.sock')
    // A process that is killed leaves its socket behind.
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script, path])
    const message = refuse(runtime, undefined, flags('--pidfd-socket', path))
    expect(message).toMatch(/--pidfd-socket: connect\("\S+"\): ECONNREFUSED$/)
  })
})
