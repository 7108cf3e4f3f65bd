/**
 * A resident planner of its own, with a front that finds it and has no Node to fall back on: what it
 * does, a worker did.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildFront } from '../../native-shims/build.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { hear, tell } from '../../src/resident/protocol.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { childrenOf } from '../children.ts'
import { baseConfig, type Config } from '../containers/config.ts'
import { adoptOrphans, buildProbe, waitUntil as waitFor } from '../engine/rig.ts'

const PATIENCE_MS = 10_000
let counter = 0

export interface Rig {
  readonly directory: string
  readonly socket: string
  /** The front that has no Node. */
  readonly front: string
  /** The same with all of tsrunc beside it. */
  readonly whole: string
}

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Why these tests cannot run here; undefined if they can. */
export function whyNot(): string | undefined {
  if (process.geteuid?.() !== 0) return 'needs root'
  return existsSync('bin/tsrunc.cjs') ? undefined : 'needs the build: npm run build'
}

export function openRig(): Rig {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'tsrunc-test-resident-'))
  const socket = join(directory, 'socket')
  const whole = join(directory, 'whole')
  const alone = join(directory, 'alone')
  cpSync('bin', whole, { recursive: true })
  buildFront(whole, { residentSocket: socket })
  buildFront(alone, { residentSocket: socket, residentPatienceMs: 5000 })
  buildProbe(directory)
  adoptOrphans()
  return { directory, socket, front: join(alone, 'tsrunc'), whole: join(whole, 'tsrunc') }
}

export function closeRig({ directory }: Rig): void {
  rmSync(directory, { recursive: true })
}

/** Ready when it is returned. `by` starts it, and may put it into other namespaces. */
export async function serve(rig: Rig, workers = 1, by = ''): Promise<ChildProcess> {
  const stderr = join(rig.directory, 'serve.log')
  const script = `exec ${by} "$0" serve --workers ${workers} 2>>"${stderr}"`
  const manager = spawn('sh', ['-c', script, rig.whole], { stdio: 'ignore' })
  const beside = { by: by === '' ? [] : ['nsenter', '-m', '-t', String(manager.pid)] }
  await waitUntil('the resident planner', () => ask(rig, ['--version'], beside).status === 0)
  await waitUntil('all workers', () => workersOf(manager).length === workers)
  return manager
}

export function isRunning(manager: ChildProcess): boolean {
  return manager.exitCode === null && manager.signalCode === null
}

export async function stop(manager: ChildProcess, signal: NodeJS.Signals = 'SIGTERM') {
  if (!isRunning(manager)) return
  const ended = new Promise((settle) => manager.once('exit', settle))
  manager.kill(signal)
  await ended
}

/** Pids of its workers. */
export function workersOf({ pid = 0 }: ChildProcess): readonly number[] {
  return childrenOf(pid).map((child) => child.pid)
}

export interface AskOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Of the shell that becomes the front: `umask 027`. */
  readonly before?: string
  /** A command that starts it: `unshare -n`. */
  readonly by?: readonly string[]
}

/** One call of the front, to its end. Its output goes to files: a created container keeps them. */
export function ask(
  rig: Rig,
  args: readonly string[],
  { env = {}, cwd = rig.directory, before = ':', by = [] }: AskOptions = {},
  front = rig.front,
): Ended {
  const output = join(rig.directory, `output-${++counter}`)
  const script = `${before}; exec ${by.join(' ')} "$@" >${output}.1 2>${output}.2 </dev/null`
  const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', front, ...args], {
    stdio: 'ignore',
    env,
    cwd,
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  })
  return readEnded(output, status)
}

/** The same in the background. */
export function startAsking(rig: Rig, args: readonly string[]) {
  const output = join(rig.directory, `output-${++counter}`)
  const script = `exec "$@" >${output}.1 2>${output}.2 </dev/null`
  const child = spawn('/bin/sh', ['-c', script, 'sh', rig.front, ...args], { env: {} })
  const ended = new Promise<Ended>((settle) =>
    child.on('exit', (status) => settle(readEnded(output, status))),
  )
  return { child, ended }
}

function readEnded(output: string, status: number | null): Ended {
  const read = (name: string) => readFileSync(`${output}.${name}`, 'utf8')
  return { status, stdout: read('1'), stderr: read('2') }
}

/**
 * This process asks for `--version` as a front does, and keeps its copy of what it sends: the fds of
 * the pipe's two ends.
 */
export function askByHand(rig: Rig, connection: number, held?: number): readonly [number, number] {
  const pipe = join(rig.directory, `pipe-${++counter}`)
  execFileSync('mkfifo', [pipe])
  const life = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const end = openSync(pipe, 'w')
  const header = Buffer.alloc(32 + 16 * 16)
  ;[0x5152_5354, 2, 2].forEach((word, index) => {
    header.writeUInt32LE(word, index * 4)
  })
  const file = join(rig.directory, `request-${counter}`)
  writeFileSync(file, Buffer.concat([header, Buffer.from('tsrunc\0--version\0\0')]))
  const given = [openSync('/dev/null', 'r+'), openSync(file, 'r'), openSync('/', 'r')] as const
  const [nothing, request, directory] = given
  hear(connection, 'ready')
  const fds = [nothing, nothing, nothing, request, directory, life]
  tell(connection, 'request', held ?? end, fds)
  given.forEach(closeFd)
  return [life, end]
}

export function makeBundle(rig: Rig, name: string, patch: (config: Config) => void = () => {}) {
  const directory = join(rig.directory, name)
  for (const path of ['proc', 'dev', 'sys', 'tmp']) {
    mkdirSync(join(directory, 'rootfs', path), { recursive: true })
  }
  copyFileSync(join(rig.directory, 'probe'), join(directory, 'rootfs/probe'))
  const config = baseConfig()
  config.process.args = ['/probe', 'sleep', '60']
  config.linux.cgroupsPath = `/tsrunc-test-resident-${process.pid}-${name}`
  patch(config)
  writeFileSync(join(directory, 'config.json'), stringifyJson(config, 1))
  return directory
}

/** What the fds of a process are. */
export function descriptorsOf(pid: number): readonly string[] {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory)
    .map((fd) => `${fd} ${readlinkSync(join(directory, fd))}`)
    .toSorted()
}

export function waitUntil(what: string, isSo: () => boolean): Promise<void> {
  return waitFor(what, isSo, PATIENCE_MS)
}
