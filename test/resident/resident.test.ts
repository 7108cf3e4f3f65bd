import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { hear } from '../../src/resident/protocol.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { connectUnix, sendMessage } from '../../src/sys/socket.ts'
import { childrenOf } from '../children.ts'
import { reapOrphans, TSRUNC } from '../engine/rig.ts'
import {
  type AskOptions,
  ask,
  askByHand,
  closeRig,
  descriptorsOf,
  isRunning,
  makeBundle,
  openRig,
  type Rig,
  serve,
  startAsking,
  stop,
  waitUntil,
  whyNot,
  workersOf,
} from './rig.ts'

const reason = whyNot()
/** What the front says that was refused, or found nobody: it has no Node. */
const NO_NODE = /^tsrunc: cannot find .*alone\/tsrunc\.cjs\n$/
const CGROUPS = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup'
let rig: Rig
let manager: Awaited<ReturnType<typeof serve>>

describe.skipIf(reason !== undefined)(`a resident planner${reason ? ` (${reason})` : ''}`, () => {
  beforeAll(async () => {
    rig = openRig()
    manager = await serve(rig)
  })

  afterAll(async () => {
    await stop(manager)
    closeRig(rig)
  })

  // Of a test that ended it, or its worker.
  beforeEach(async () => {
    if (!isRunning(manager)) manager = await serve(rig)
    await waitUntil('a worker', () => ask(rig, ['--version']).status === 0)
  })

  const root = () => ['--root', join(rig.directory, 'state')]

  function remove(id: string): void {
    const { status, stderr } = ask(rig, [...root(), 'delete', '--force', id], {}, TSRUNC)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    reapOrphans()
  }

  function makeCgroup(name: string): string {
    const path = join(CGROUPS, `tsrunc-test-resident-${process.pid}-${name}`)
    mkdirSync(path)
    return path
  }

  /** A create that takes as long as its hook, once that runs. */
  async function createSlowly(id: string, command = 'create') {
    const begun = join(rig.directory, `${id}.begun`)
    const bundle = makeBundle(rig, id, (config) => {
      const args = ['sh', '-c', `: >${begun}; exec sleep 60`]
      config.hooks = { createRuntime: [{ path: '/bin/sh', args, timeout: 30 }] }
    })
    const asking = startAsking(rig, [...root(), command, '--bundle', bundle, id])
    await waitUntil('the hook', () => existsSync(begun))
    return asking
  }

  it('is what the front needs no Node for', async () => {
    expect(ask(rig, ['--version'])).toMatchObject({ status: 0, stderr: '' })
    await stop(manager)
    expect(ask(rig, ['--version']).stderr).toMatch(NO_NODE)
  })

  it.each([
    [[]],
    [['--help']],
    [['features']],
    [['spec', '--bundle', '/nonexistent']],
    [['state', 'none']],
    [['--log-format', 'json', 'state', 'none']],
    [['--log', '/nonexistent/log', 'state', 'none']],
    [['kill', 'none', 'NOSIGNAL']],
    [['nonsense']],
    [['delete', '--force', 'none']],
    [['exec', '--detach', 'none', 'true']],
    [['create', '--bundle', '/nonexistent', 'none']],
    [['list', '--format', 'xml']],
  ])('answers %j as without', (args: string[]) => {
    const hideTime = (text: string) => text.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/, 'TIME')
    const [warm, cold] = [rig.front, TSRUNC].map((front) => {
      const { status, stdout, stderr } = ask(rig, [...root(), ...args], {}, front)
      return { status, stdout, stderr: hideTime(stderr) }
    })
    expect(warm).toEqual(cold)
  })

  it("makes containers in the caller's place", async () => {
    const bundle = makeBundle(rig, 'place')
    const asked = { cwd: bundle, before: 'umask 027; ulimit -Sn 333; ulimit -c 0' }
    const run = ask(rig, [...root(), 'run', '-d', '--pid-file', 'pid', 'place'], asked)
    expect(run).toEqual({ status: 0, stdout: '', stderr: '' })
    const pid = Number(readFileSync(join(bundle, 'pid'), 'utf8'))
    expect(statSync(join(bundle, 'pid')).mode & 0o777).toBe(0o640)
    expect(childrenOf(process.pid).map((child) => child.pid)).toContain(pid)
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max open files +333 /)
    const state = ask(rig, [...root(), 'state', 'place'])
    expect(JSON.parse(state.stdout)).toMatchObject({ pid, bundle, status: 'running' })
    expect(ask(rig, [...root(), 'exec', '-d', 'place', '/probe', 'exit', '0']).status).toBe(0)
    expect(ask(rig, [...root(), 'kill', 'place', 'KILL']).status).toBe(0)
    // The container's init is not gone before the process of exec is.
    await waitUntil('the end', () => {
      reapOrphans()
      return !existsSync(`/proc/${pid}`)
    })
    expect(ask(rig, [...root(), 'delete', 'place'])).toMatchObject({ status: 0, stderr: '' })
  })

  it('runs containers in the foreground', () => {
    const bundle = makeBundle(rig, 'foreground', (config) => {
      config.process.args = ['/probe', 'exit', '7']
    })
    const run = ask(rig, [...root(), 'run', '--bundle', bundle, 'foreground'])
    expect(run).toEqual({ status: 7, stdout: '[null]\n', stderr: '' })
    expect(ask(rig, [...root(), 'list', '--quiet'])).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(existsSync(join(rig.directory, 'state/foreground'))).toBe(false)
    const none = ask(rig, [...root(), 'exec', 'foreground', '/probe'])
    expect(none).toMatchObject({ status: 255, stdout: '' })
  })

  it("shows a container without a cgroup its caller's", () => {
    const cgroup = makeCgroup('shown')
    const bundle = makeBundle(rig, 'shown', (config) => {
      config.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' })
    })
    const disabled = [...root(), '--cgroup-manager', 'disabled']
    const args = [...disabled, 'run', '-d', '--pid-file', 'pid', 'shown']
    const run = ask(rig, args, { cwd: bundle, before: `echo $$ >${cgroup}/cgroup.procs` })
    expect(run).toEqual({ status: 0, stdout: '', stderr: '' })
    const pid = readFileSync(join(bundle, 'pid'), 'utf8')
    const shown = join(`/proc/${pid}/root`, CGROUPS, 'cgroup.procs')
    expect(readFileSync(shown, 'utf8').split('\n')).toContain(pid)
    remove('shown')
    rmdirSync(cgroup)
  })

  it("signals nobody where its caller is in the container's cgroup", () => {
    const bundle = makeBundle(rig, 'inside')
    const { cgroupsPath = '' } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')).linux
    expect(ask(rig, [...root(), 'create', 'inside'], { cwd: bundle }).status).toBe(0)
    const before = `echo $$ >${CGROUPS}${cgroupsPath}/cgroup.procs`
    const killed = ask(rig, [...root(), 'kill', '--all', 'inside', 'KILL'], { before })
    expect(killed).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('none is signalled'),
    })
    remove('inside')
  })

  it.each<[string, string[], AskOptions]>([
    ['wait', ['wait', 'x'], {}],
    ['a stream of events', ['events', 'x'], {}],
    ['passing fds on', ['create', '--preserve-fds', '1', 'x'], {}],
    ['its terminal by name', ['--log', '/dev/tty', 'state', 'x'], {}],
    ['a path of an fd', ['create', '--pid-file', '/dev/fd/7', 'x'], {}],
    ['LISTEN_FDS', ['create', 'x'], { env: { LISTEN_FDS: '1' } }],
    ['NOTIFY_SOCKET', ['start', 'x'], { env: { NOTIFY_SOCKET: '/x' } }],
    ['an argument that is not UTF-8', ['state'], { before: 'set -- "$@" "$(printf "\\377")"' }],
    ['another network namespace', ['state', 'x'], { by: ['unshare', '-n'] }],
    ['another mount namespace', ['state', 'x'], { by: ['unshare', '-m'] }],
    ['another user namespace', ['state', 'x'], { by: ['unshare', '-Ur'] }],
    ['a pid namespace for children', ['state', 'x'], { by: ['unshare', '-p'] }],
    ['fewer capabilities', ['state', 'x'], { by: ['setpriv', '--bounding-set', '-sys_boot'] }],
    ['no_new_privs', ['state', 'x'], { by: ['setpriv', '--no-new-privs'] }],
    ['another group', ['state', 'x'], { by: ['setpriv', '--regid', '7', '--keep-groups'] }],
    ['another user', ['state', 'x'], { by: ['setpriv', '--reuid', '7', '--keep-groups'] }],
  ])('refuses %s', (_what, args, options) => {
    const before = workersOf(manager)
    const stderr = ask(rig, args, options).stderr
    expect(stderr).toMatch(NO_NODE)
    expect(workersOf(manager)).toEqual(before)
  })

  it('refuses another mount of the same root', async () => {
    await stop(manager)
    const copy = join(rig.directory, 'copy')
    mkdirSync(copy)
    const script = join(rig.directory, 'with-copy')
    writeFileSync(script, `mount --rbind / ${copy}; mount -o remount,bind,ro ${copy}; exec "$@"`)
    manager = await serve(rig, 1, `unshare -m sh ${script}`)
    onTestFinished(() => stop(manager))
    const by = ['nsenter', '-m', '-t', String(manager.pid)]
    expect(ask(rig, ['state', 'x'], { by }).stderr).toContain('does not exist')
    expect(ask(rig, ['state', 'x'], { by: [...by, '/usr/sbin/chroot', copy] }).stderr).toMatch(
      NO_NODE,
    )
  })

  it.each([
    ['does as it is asked', undefined, 'exit'],
    ['refuses who did not connect: another process has got its pid', 1, 'refuse'],
  ] as const)('%s', (_what, held, kind) => {
    const connection = connectUnix(rig.socket)
    const pipe = askByHand(rig, connection, held)
    expect(hear(connection, kind)).toBeDefined()
    for (const fd of [...pipe, connection]) closeFd(fd)
  })

  it('is not ended by a front whose command it has done', async () => {
    const before = workersOf(manager)
    const connection = connectUnix(rig.socket)
    const [life, end] = askByHand(rig, connection)
    expect(hear(connection, 'exit')).toBeDefined()
    for (const fd of [end, life, connection]) closeFd(fd)
    await waitUntil('its answer', () => ask(rig, ['--version']).status === 0)
    expect(workersOf(manager)).toEqual(before)
  })

  it('leaves the log alone for who is refused', () => {
    const log = join(rig.directory, 'log-of-none')
    expect(ask(rig, ['--log', log, ...root(), 'wait', 'none']).stderr).toMatch(NO_NODE)
    expect(existsSync(log)).toBe(false)
  })

  it('leaves nothing of a command to the next one', async () => {
    const bundle = makeBundle(rig, 'fds', (config) => {
      config.mounts.push({ destination: '/none', type: 'nonsense', source: 'none' })
    })
    const [worker = 0] = workersOf(manager)
    // That to its manager and that where it listens: the front may be gone before its own is closed.
    const isIdle = () => descriptorsOf(worker).filter((fd) => fd.includes('socket')).length === 2
    ask(rig, [...root(), 'state', 'none'])
    await waitUntil('an idle worker', isIdle)
    const before = descriptorsOf(worker)
    for (let i = 0; i < 3; i++) {
      const failed = ask(rig, [...root(), 'create', '--bundle', bundle, 'fds'], { cwd: '/usr' })
      expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('/mounts/') })
      ask(rig, [...root(), '--log', join(rig.directory, 'log'), 'state', 'none'])
    }
    expect(workersOf(manager)).toEqual([worker])
    await waitUntil('an idle worker', isIdle)
    expect(descriptorsOf(worker)).toEqual(before)
    expect(statSync(`/proc/${worker}/cwd`).ino).toBe(statSync('/').ino)
  })

  it('that is busy keeps nobody waiting', async () => {
    const slow = await createSlowly('busy')
    const began = performance.now()
    for (let i = 0; i < 3; i++) expect(ask(rig, ['--version'], {}, rig.whole).status).toBe(0)
    expect(performance.now() - began).toBeLessThan(2000)
    slow.child.kill('SIGKILL')
    await slow.ended
    remove('busy')
  })

  it('ends a command with its front, and serves on', async () => {
    const before = workersOf(manager)
    const { child, ended } = await createSlowly('front-killed')
    child.kill('SIGKILL')
    await ended
    await waitUntil('another worker', () => {
      const now = workersOf(manager)
      return now.length === 1 && now[0] !== before[0]
    })
    await waitUntil('its answer', () => ask(rig, ['--version']).status === 0)
    remove('front-killed')
  })

  it('that is killed ends the command as Node that is killed', async () => {
    const { ended } = await createSlowly('worker-killed')
    for (const worker of workersOf(manager)) process.kill(worker, 'SIGKILL')
    const { status, stderr } = await ended
    // By a signal.
    expect(status).toBeNull()
    expect(stderr).toBe('tsrunc: the resident planner ended before the command did\n')
    remove('worker-killed')
    await waitUntil('another worker', () => ask(rig, ['--version']).status === 0)
  })

  it('that is killed has the supervisor remove what there is', async () => {
    const { ended } = await createSlowly('run-killed', 'run')
    for (const worker of workersOf(manager)) process.kill(worker, 'SIGKILL')
    const { status, stderr } = await ended
    expect(status).toBe(128 + 9)
    const [first = '', ...rest] = stderr.split(/(?<=\n)/)
    expect(first).toBe('tsrunc: the resident planner ended before the command did\n')
    // Which this front lacks the rest of tsrunc for.
    expect(rest.join('')).toMatch(NO_NODE)
    remove('run-killed')
    await waitUntil('another worker', () => ask(rig, ['--version']).status === 0)
  })

  it('outlives that no worker can be started', async () => {
    renameSync(rig.whole, `${rig.whole}-away`)
    for (const worker of workersOf(manager)) process.kill(worker, 'SIGKILL')
    await waitUntil('the end of the worker', () => workersOf(manager).length === 0)
    // It tries after a second, if the first one was not even that old.
    await new Promise((wake) => setTimeout(wake, 1300))
    renameSync(`${rig.whole}-away`, rig.whole)
    await waitUntil('another worker', () => ask(rig, ['--version']).status === 0)
  })

  it('that is stopped finishes what it is at, and leaves no socket', async () => {
    const begun = join(rig.directory, 'finishes.begun')
    const bundle = makeBundle(rig, 'finishes', (config) => {
      const args = ['sh', '-c', `: >${begun}; exec sleep 1`]
      config.hooks = { createRuntime: [{ path: '/bin/sh', args }] }
    })
    const { ended } = startAsking(rig, [...root(), 'create', '--bundle', bundle, 'finishes'])
    await waitUntil('the hook', () => existsSync(begun))
    await stop(manager)
    expect(await ended).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(existsSync(rig.socket)).toBe(false)
    remove('finishes')
  })

  it('whose manager is killed leaves, and the next one takes its place', async () => {
    const workers = workersOf(manager)
    await stop(manager, 'SIGKILL')
    await waitUntil('the end of the worker', () => {
      reapOrphans()
      return !workers.some((pid) => existsSync(`/proc/${pid}`))
    })
    expect(ask(rig, ['--version']).stderr).toMatch(NO_NODE)
    expect(existsSync(rig.socket)).toBe(true)
    manager = await serve(rig)
  })

  it('is there once, and for root alone', () => {
    const second = ask(rig, ['serve'], {}, rig.whole)
    expect(second.status).toBe(1)
    expect(second.stderr).toContain(`somebody else serves at ${rig.socket}`)
    expect(statSync(rig.socket).mode & 0o777).toBe(0o600)
  })

  it.each<[string, (socket: number) => void]>([
    ['leaves at once', () => {}],
    ['sends what is no message', (socket) => sendMessage(socket, Buffer.alloc(100, 1), [])],
    ['sends half of one', (socket) => sendMessage(socket, Buffer.from([2]), [])],
    ['sends no fds', (socket) => sendMessage(socket, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), [])],
    [
      'sends no request',
      (socket) => sendMessage(socket, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), [0, 0, 0, 0, 0, 0]),
    ],
  ])('is not troubled by who %s', async (_what, misbehave) => {
    const before = workersOf(manager)
    const socket = connectUnix(rig.socket)
    misbehave(socket)
    closeFd(socket)
    await waitUntil('its answer', () => ask(rig, ['--version']).status === 0)
    expect(workersOf(manager)).toEqual(before)
  })

  it('does not wait for who says nothing', async () => {
    const socket = connectUnix(rig.socket)
    await waitUntil('its answer', () => ask(rig, ['--version']).status === 0)
    closeFd(socket)
  })

  it('prints a unit that starts it', () => {
    const unit = ask(rig, ['serve', '--print-unit'], {}, rig.whole)
    expect(unit.stdout).toContain(`ExecStart=${rig.whole} serve\n`)
    writeFileSync(join(rig.directory, 'tsrunc.service'), unit.stdout)
  })
})
