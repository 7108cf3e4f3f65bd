import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { exec, execFile, execReport, type Report, spawnExec, startContainer } from './exec-rig.ts'
import {
  createContainer,
  describeContainers,
  invoke,
  parseValues,
  readState,
  waitUntil,
} from './rig.ts'

const KILL = 1n << 5n
const NET_BIND_SERVICE = 1n << 10n
const AUDIT_WRITE = 1n << 29n
const NET_RAW = 1n << 13n
const OWN = KILL | NET_BIND_SERVICE | AUDIT_WRITE

function setsOf(report: Report): Record<string, bigint> {
  const sets = Object.entries(report.capabilities)
  return Object.fromEntries(sets.map(([name, mask]) => [name, BigInt(`0x${mask}`)]))
}

/** The lines of /proc/PID/cgroup. */
function cgroupsOf(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\d+:/, ''))
    .toSorted()
}

describeContainers('exec', (runtime) => {
  it('runs in the namespaces, the cgroups, the session keyring and the root of the container', () => {
    const container = startContainer(runtime, (config) => {
      config.linux.namespaces.push({ type: 'cgroup' })
    })
    const result = exec(runtime, container.id, [['report'], ['stat', '/probe']])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [report, probe] = parseValues(result.stdout) as [Report, unknown]
    expect(probe).toMatchObject({ type: 'file' })
    const [first] = parseValues(exec(runtime, container.id, [['read', '/proc/1/cgroup']]).stdout)
    expect(report.cgroup).toBe(first)
    for (const name of ['pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup']) {
      const link = readlinkSync(`/proc/${container.pid}/ns/${name}`)
      expect(report.namespaces[name], name).toBe(link)
    }
    expect(report).toMatchObject({ ppid: 0, hostname: 'base', keyring: `_ses.${container.id}` })
    expect(report.sid).toBe(report.pid)
    expect(report.pid).not.toBe(1)
  })

  it('is seen from outside in the cgroups of init', async () => {
    const container = startContainer(runtime)
    const pidFile = join(container.bundle.directory, 'exec.pid')
    const flags = ['--detach', '--pid-file', pidFile]
    const result = exec(runtime, container.id, [['sleep', '1000']], { flags })
    expect(result).toMatchObject({ status: 0, stdout: '', stderr: '' })
    const text = readFileSync(pidFile, 'utf8')
    expect(text).toMatch(/^[0-9]+$/)
    const cgroups = (pid: number | string) => cgroupsOf(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
    expect(cgroups(text)).toEqual(cgroups(container.pid))
    // Ends with the container.
    invoke(runtime, ['delete', '--force', container.id])
    await waitUntil('the process to be gone', () => !existsSync(`/proc/${text}/root`))
  })

  it('inherits user, limits, capabilities, umask, no_new_privs, env, cwd, oom_score_adj', () => {
    const { id } = startContainer(runtime, (config) => {
      config.process.user = { uid: 1000, gid: 1001, additionalGids: [5], umask: 0o027 }
      config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 100n, hard: 200n }]
      config.process.oomScoreAdj = 500
      config.process.cwd = '/tmp'
      config.process.env = ['PATH=/bin', 'A=1', 'HOME=/h']
    })
    const report = execReport(runtime, id)
    expect(report).toMatchObject({
      uids: [1000, 1000, 1000],
      gids: [1001, 1001, 1001],
      groups: [5],
      noNewPrivileges: 1,
      seccomp: 0,
      cwd: '/tmp',
      env: ['PATH=/bin', 'A=1', 'HOME=/h'],
      oomScoreAdj: '500\n',
      fds: [0, 1, 2],
      blocked: [],
      ignored: [],
    })
    expect(report.limits[4]).toEqual(['100', '200'])
    // runc 1.1 gives an exec the umask of its caller.
    if (runtime.name === 'tsrunc') expect(report.umask).toBe('27')
    expect(setsOf(report)).toMatchObject({ bounding: OWN, inheritable: 0n, ambient: 0n })
  })

  it('flags change that: --cwd --env --user --additional-gids --no-new-privs --cap', () => {
    const { id } = startContainer(runtime, (config) => {
      config.process.noNewPrivileges = false
      config.process.user = { uid: 0, gid: 0, additionalGids: [5] }
      config.process.env = ['PATH=/bin', 'A=1']
    })
    const flags = ['--cwd', '/tmp', '-e', 'A=2', '-e=B=x=y', '-u', '7:8', '-g', '9', '-g', '10']
    const report = execReport(runtime, id, {
      flags: [...flags, '--no-new-privs', '--cap', 'CAP_NET_RAW'],
    })
    expect(report).toMatchObject({
      cwd: '/tmp',
      uids: [7, 7, 7],
      gids: [8, 8, 8],
      noNewPrivileges: 1,
    })
    expect([...report.groups].sort()).toEqual([10, 5, 9].sort())
    expect(report.env).toEqual(expect.arrayContaining(['PATH=/bin', 'A=2', 'B=x=y']))
    expect(report.env.filter((entry) => entry.startsWith('A='))).toHaveLength(1)
    // Neither inheritable nor ambient (CVE-2022-29162): the user's program gains nothing by it.
    expect(setsOf(report)).toEqual({
      bounding: OWN | NET_RAW,
      inheritable: 0n,
      ambient: 0n,
      permitted: 0n,
      effective: 0n,
    })
    const asRoot = execReport(runtime, id, { flags: ['--cap', 'CAP_NET_RAW'] })
    expect(setsOf(asRoot)).toMatchObject({ effective: OWN | NET_RAW, inheritable: 0n, ambient: 0n })
    expect(asRoot.noNewPrivileges).toBe(0)
  })

  it('--user without a group keeps the group; HOME is that of the new user', () => {
    const { id } = startContainer(runtime, (config, bundle) => {
      config.process.user = { uid: 0, gid: 4 }
      writeFileSync(join(bundle.rootfs, 'etc/passwd'), 'a:x:0:0::/zero:\nb:x:1000:7::/home/b:\n')
    })
    const report = execReport(runtime, id, { flags: ['--user', '1000'] })
    expect(report).toMatchObject({ uids: [1000, 1000, 1000], gids: [4, 4, 4] })
    expect(report.env).toContain('HOME=/home/b')
  })

  it('--process takes everything from its file', () => {
    const container = startContainer(runtime, (config) => {
      config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 100n, hard: 200n }]
    })
    const result = execFile(runtime, container, {
      cwd: '/etc',
      env: ['X=1', 'HOME=/'],
      user: { uid: 3, gid: 4, additionalGids: [6] },
      rlimits: [{ type: 'RLIMIT_CORE', soft: 0n, hard: 7n }],
      capabilities: { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] },
      noNewPrivileges: true,
      oomScoreAdj: 600,
    })
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [report] = parseValues(result.stdout) as [Report]
    expect(report).toMatchObject({ cwd: '/etc', env: ['X=1', 'HOME=/'], uids: [3, 3, 3] })
    expect(report).toMatchObject({ gids: [4, 4, 4], groups: [6], noNewPrivileges: 1 })
    expect(report.limits[4]).toEqual(['0', '7'])
    expect(setsOf(report)).toMatchObject({ bounding: KILL, effective: 0n })
    // runc 1.1 knows oomScoreAdj of the container alone.
    if (runtime.name === 'tsrunc') expect(report.oomScoreAdj).toBe('600\n')
  })

  it.skipIf(runtime.name === 'runc')('execCPUAffinity chooses the CPUs (not in runc 1.1)', () => {
    const container = startContainer(runtime)
    const cpusOf = (execCPUAffinity: { initial?: string; final?: string }) => {
      const operations = [['read', '/proc/self/status']]
      const { stdout } = execFile(runtime, container, { execCPUAffinity }, { operations })
      return /^Cpus_allowed_list:\t(.*)$/m.exec(String(parseValues(stdout)[0]))?.[1]
    }
    expect(cpusOf({ initial: '0' })).toBe('0')
    expect(cpusOf({ initial: '0-7', final: '0' })).toBe('0')
  })

  it('--process: what the file leaves out is as in the container, never more', () => {
    const container = startContainer(runtime, (config) => {
      config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 100n, hard: 200n }]
      config.process.oomScoreAdj = 400
    })
    const [report] = parseValues(execFile(runtime, container, {}).stdout) as [Report]
    expect(setsOf(report)).toMatchObject({ bounding: OWN, effective: OWN, inheritable: 0n })
    expect(report.oomScoreAdj).toBe('400\n')
    // runc 1.1 takes missing rlimits for none, and a missing noNewPrivileges for false.
    if (runtime.name === 'runc') return
    expect(report.limits[4]).toEqual(['100', '200'])
    expect(report.noNewPrivileges).toBe(1)
  })

  it('the seccomp filter of the container holds, also when the bundle is gone', () => {
    const getsid = process.arch === 'x64' ? '124' : '156'
    for (const noNewPrivileges of [true, false]) {
      const container = startContainer(runtime, (config) => {
        config.process.noNewPrivileges = noNewPrivileges
        config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
        }
      })
      // runc reads the bundle's config.json anew.
      if (runtime.name === 'tsrunc') rmSync(join(container.bundle.directory, 'config.json'))
      const [denied, report] = parseValues(
        exec(runtime, container.id, [['syscall', getsid], ['report']]).stdout,
      )
      expect(denied).toBe('EACCES')
      expect(report).toMatchObject({ seccomp: 2, noNewPrivileges: noNewPrivileges ? 1 : 0 })
    }
  })

  it('the exit status is that of the process, or 128 + the signal, 255 where it cannot run', () => {
    const { id } = startContainer(runtime)
    expect(exec(runtime, id, [['exit', '7']]).status).toBe(7)
    expect(exec(runtime, id, [['signal', '9']]).status).toBe(137)
    expect(exec(runtime, id, [['signal', '15']]).status).toBe(143)
    const missing = invoke(runtime, ['exec', id, 'nowhere'])
    expect(missing).toMatchObject({ status: 255, stdout: '' })
    expect(missing.stderr).toContain('executable file not found in $PATH')
    expect(readState(runtime, id).status).toBe('running')
  })

  it('signals to exec reach the process', async () => {
    const { id } = startContainer(runtime)
    const child = spawnExec(runtime, id, [['trap']])
    const ended = new Promise((settle) => child.on('exit', settle))
    await new Promise((settle) => child.stdout.once('data', settle))
    child.kill('SIGUSR1')
    expect(await ended).toBe(110)
  })

  it('goes into a container that is only created', () => {
    const { id } = createContainer(runtime, [['report']])
    expect(execReport(runtime, id).hostname).toBe('base')
    expect(readState(runtime, id).status).toBe('created')
  })

  it('--preserve-fds passes descriptors, all others stay outside', () => {
    const { id } = startContainer(runtime)
    const options = { flags: ['--preserve-fds', '2'], descriptors: [0, 0, 0] }
    expect(execReport(runtime, id, options).fds).toEqual([0, 1, 2, 3, 4])
    expect(execReport(runtime, id, { descriptors: [0, 0] }).fds).toEqual([0, 1, 2])
  })

  it.skipIf(runtime.name === 'runc')('--pidfd-socket gets a pidfd (not in runc 1.1)', async () => {
    const { id, bundle } = startContainer(runtime)
    const socket = join(bundle.directory, 'socket')
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const receiver = spawn(inject('probe'), ['receive', socket], { stdio: [...stdio] })
    let output = ''
    receiver.stdout.on('data', (data) => {
      output += data
    })
    await waitUntil('the socket', () => existsSync(socket))
    const pidFile = join(bundle.directory, 'pid-of-exec')
    const flags = ['--detach', '--pidfd-socket', socket, '--pid-file', pidFile]
    expect(exec(runtime, id, [['sleep', '1000']], { flags }).status).toBe(0)
    await new Promise((settle) => receiver.on('exit', settle))
    const [message] = JSON.parse(output) as [{ bytes: number; info: string }]
    expect(message.bytes).toBeGreaterThan(0)
    expect(message.info).toContain(`Pid:\t${readFileSync(pidFile, 'utf8')}\n`)
  })
})
