/**
 * The rig of the failure and stress tests: containers made in this process, through the engine,
 * and a look at all that a container consists of. This process becomes a subreaper, so that every
 * process that a container leaves behind turns up among its children.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { prepareCreate } from '../../src/cli/prepare.ts'
import type { Spec } from '../../src/config/spec.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import type { CreateInput } from '../../src/engine/create-input.ts'
import type { ResourceLimit } from '../../src/host/facts.ts'
import type { Request } from '../../src/host/request.ts'
import { CGROUP_HOME } from '../../src/plan/cgroup-home.ts'
import { callKernel } from '../../src/sys/ffi.ts'
import { waitForChild } from '../../src/sys/process.ts'
import { childrenOf } from '../children.ts'

export const TSRUNC = resolve('bin/tsrunc')
const PR_SET_CHILD_SUBREAPER = 36
/** How long what was killed may take to be gone. */
const PATIENCE_MS = 3000
let counter = 0

/** Why these tests cannot run here; undefined if they can. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync(TSRUNC)) return 'needs the build: npm run build'
  const { status } = spawnSync('unshare', ['-m', '-p', '-f', '-n', 'true'])
  return status === 0 ? undefined : 'this root may not make namespaces'
}

export interface Rig {
  /** Unique, in file names, ids and names of cgroups. */
  readonly name: string
  readonly home: string
  /** The runtime's root directory. */
  readonly root: string
}

export function openRig(purpose: string): Rig {
  const home = mkdtempSync(join(tmpdir(), `tsrunc-test-${purpose}-`))
  adoptOrphans()
  buildProbe(home)
  return { name: home.replace(/.*\//, ''), home, root: join(home, 'state') }
}

/** What containers leave falls to this process. */
export function adoptOrphans(): void {
  callKernel('prctl', [PR_SET_CHILD_SUBREAPER, 1], 'prctl(PR_SET_CHILD_SUBREAPER)')
}

/** `probe` in a directory. */
export function buildProbe(directory: string): void {
  const source = resolve('test/containers/probe.c')
  const flags = ['-static', '-O1', '-o', join(directory, 'probe')]
  execFileSync('cc', [...flags, source], { stdio: 'inherit' })
}

/** Refuses where something is still mounted: that would remove what is mounted there. */
export function closeRig(rig: Rig): void {
  const { name, home } = rig
  // Of tests that failed.
  for (const id of listContainers(rig)) tsrunc(rig, 'delete', '--force', id)
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(home)) throw new Error('left mounted')
  for (const cgroup of findCgroups(name)) rmdirSync(cgroup)
  rmSync(home, { recursive: true })
}

/** A bundle with the probe in it. */
export function makeBundle(rig: Rig, name: string, config: (directory: string) => Spec): string {
  const directory = join(rig.home, name)
  for (const path of ['rootfs/etc', 'rootfs/tmp', 'source']) {
    mkdirSync(join(directory, path), { recursive: true })
  }
  writeFileSync(join(directory, 'rootfs/etc/passwd'), 'user:x:1000:1000::/home:/bin/sh\n')
  writeFileSync(join(directory, 'order'), '')
  execFileSync('cp', [join(rig.home, 'probe'), join(directory, 'rootfs/probe')])
  writeFileSync(join(directory, 'config.json'), stringifyJson(config(directory), 1))
  return directory
}

/** What a front would have told. */
export function readRequest(): Request {
  const limits: Record<string, ResourceLimit> = {}
  for (const line of readFileSync('/proc/self/limits', 'utf8').split('\n').slice(1)) {
    const [, title, soft, hard] = /^Max (.*?) {2,}(\S+) +(\S+)/.exec(line) ?? []
    const name = LIMIT_NAMES[title ?? '']
    if (name !== undefined) limits[name] = { soft: toLimit(soft), hard: toLimit(hard) }
  }
  return {
    argv: ['tsrunc'],
    env: new Map(),
    limits,
    descriptors: [],
    pid: process.pid,
    residentSocket: '',
  }
}

const LIMIT_NAMES: Readonly<Record<string, string>> = {
  'open files': 'RLIMIT_NOFILE',
  'core file size': 'RLIMIT_CORE',
  processes: 'RLIMIT_NPROC',
}

function toLimit(text = 'unlimited'): bigint {
  return text === 'unlimited' ? 2n ** 64n - 1n : BigInt(text)
}

/** Everything that the engine needs to create the bundle's container. */
export function prepare(rig: Rig, bundle: string, id: string): CreateInput {
  const options = {
    id,
    bundle,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    systemdCgroup: false,
    listenFds: 0,
    detach: true,
  }
  const prepared = prepareCreate(options, readRequest())
  return { ...prepared, rootPath: rig.root, descriptors: [], warn: () => {} }
}

/** One call of bin/tsrunc with its output in files: a created container keeps them open. */
export function tsrunc(rig: Rig, ...args: string[]): { status: number | null; stderr: string } {
  const log = join(rig.home, 'stderr')
  const fd = openSync(log, 'w+')
  const { status } = spawnSync(TSRUNC, ['--root', rig.root, ...args], {
    stdio: ['ignore', 'ignore', fd],
    env: {},
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  closeSync(fd)
  return { status, stderr: readFileSync(log, 'utf8') }
}

/** The same in the background. */
export async function spawnTsrunc(
  rig: Rig,
  ...args: string[]
): Promise<{ status: number | null; stderr: string }> {
  const log = join(rig.home, `stderr-${++counter}`)
  const fd = openSync(log, 'w+')
  const child = spawn(TSRUNC, ['--root', rig.root, ...args], {
    stdio: ['ignore', 'ignore', fd],
    env: {},
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  closeSync(fd)
  const status = await new Promise<number | null>((settle) => child.on('exit', settle))
  const stderr = readFileSync(log, 'utf8')
  rmSync(log)
  return { status, stderr }
}

export function readState(rig: Rig, id: string): { status: string; pid: number } {
  const output = execFileSync(TSRUNC, ['--root', rig.root, 'state', id], { encoding: 'utf8' })
  return JSON.parse(output) as { status: string; pid: number }
}

/** What is there that a container could have left, as text to compare. */
export interface World {
  readonly processes: readonly string[]
  readonly cgroups: readonly string[]
  readonly mounts: readonly string[]
  readonly containers: readonly string[]
  readonly files: readonly string[]
  readonly descriptors: readonly string[]
}

/** All of it. Zombies that fell to us are reaped first. */
export function lookAround(rig: Rig): World {
  reapOrphans()
  return {
    processes: listChildren().map(describeProcess),
    cgroups: findCgroups(rig.name),
    mounts: listMounts(rig),
    containers: listContainers(rig),
    files: listFiles(rig.home).filter(isNotKept),
    descriptors: listDescriptors(),
  }
}

function listContainers({ root }: Rig): readonly string[] {
  return existsSync(root) ? readdirSync(root).filter(isNotKept) : []
}

/** Compiled seccomp filters stay, under names that no id can be. */
function isNotKept(path: string): boolean {
  return !path.includes('seccomp@')
}

/** Where a mount that got out of a container would show: its bundle, and its own mount points. */
function listMounts({ home }: Rig): readonly string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const places = /^(\S+ ){4}\/(proc|sys|dev)?[ /]/
  return lines.filter((line) => line.includes(home) || places.test(line))
}

/** All below a directory, but what a container makes in its root filesystem. */
function listFiles(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() && entry.name !== 'rootfs' ? [path, ...listFiles(path)] : [path]
  })
}

/** Looks again until it is the same world, or patience ends: then it is what it was last. */
export function lookUntilSame(rig: Rig, before: World): World {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const now = lookAround(rig)
    if (JSON.stringify(now) === JSON.stringify(before) || Date.now() > deadline) return now
    pause(5)
  }
}

export async function waitUntil(
  what: string,
  isSo: () => boolean,
  patienceMs = 5 * PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await new Promise((wake) => setTimeout(wake, 10))
  }
}

export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Every cgroup of the rig, in all hierarchies, the deepest first. */
export function findCgroups(name: string): readonly string[] {
  const top = '/sys/fs/cgroup'
  const hierarchies = existsSync(join(top, 'cgroup.procs'))
    ? [top]
    : readdirSync(top).map((entry) => join(top, entry))
  const places = hierarchies.flatMap((path) => [join(path, name), join(path, CGROUP_HOME, name)])
  return places.flatMap(listDirectories)
}

function listDirectories(path: string): readonly string[] {
  if (!existsSync(path)) return []
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [...below.flatMap((entry) => listDirectories(join(path, entry.name))), path]
}

/** Pids of the children of this process. */
export function listChildren(): readonly number[] {
  return childrenOf(process.pid).map(({ pid }) => pid)
}

/** Containers' processes that ended: their parents left, so they are ours to reap. */
export function reapOrphans(): void {
  for (const { pid, isZombie } of childrenOf(process.pid)) if (isZombie) waitForChild(pid)
}

function describeProcess(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`
  } catch {
    return `${pid}`
  }
}

/** What the fds of this process are; the one that reads the directory is left out. */
function listDescriptors(): readonly string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return targets.filter((target) => target !== '' && !target.startsWith('/proc/')).toSorted()
}
