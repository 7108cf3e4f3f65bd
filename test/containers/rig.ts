/**
 * The rig of the container tests: bundles with a probe in them, run by tsrunc and, to prove the
 * tests themselves, by others: `TSRUNC_TEST_RUNTIME=runc`, `crun` or `both`, which is tsrunc and runc
 * (default: tsrunc). Their cgroups are made by `TSRUNC_TEST_CGROUP_DRIVER=systemd`, or `cgroupfs`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { describe, inject, onTestFinished } from 'vitest'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { type Driver, defaultDriver } from './cgroup-drivers.ts'
import { baseConfig, type Config } from './config.ts'

export type Patch = (config: Config, bundle: Bundle) => void

export interface Runtime {
  readonly name: 'tsrunc' | 'runc' | 'crun'
  readonly path: string
}

export interface Bundle {
  readonly directory: string
  readonly rootfs: string
}

export interface Result {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface InvokeOptions {
  readonly globals?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The content of stdin; default: /dev/null. */
  readonly input?: string
  /** fds from 3 on. */
  readonly descriptors?: readonly number[]
  readonly timeout?: number
}

/** What an operation of the probe gives: see probe.c. */
export type Value = unknown

const isRoot = process.getuid?.() === 0
const name = `tsrunc-test-${process.pid}-${Date.now().toString(36)}`
const home = join(tmpdir(), name)
const cgroupParent = `/${name}`
const stateRoot = join(home, 'state')
const driver: Driver = defaultDriver()
let counter = 0

/** For each file of tests anew: those that a worker runs share this module. */
export function openHome(): void {
  mkdirSync(home, { mode: 0o700 })
}

export function closeHome(): void {
  removeCgroups()
  removeTree(home)
}

/** The tests of one field or command, for each runtime that is asked for. */
export function describeContainers(title: string, define: (runtime: Runtime) => void): void {
  if (!isRoot) {
    describe.skip(`${title} (skipped: needs root)`, () => {})
    return
  }
  for (const runtime of chooseRuntimes()) {
    describe(`${title} (${runtime.name})`, () => define(runtime))
  }
}

function chooseRuntimes(): Runtime[] {
  const asked = process.env.TSRUNC_TEST_RUNTIME ?? 'tsrunc'
  const runtimes: Runtime[] = []
  const wanted = asked === 'both' ? ['tsrunc', 'runc'] : [asked]
  if (wanted.includes('tsrunc')) runtimes.push({ name: 'tsrunc', path: resolve('bin/tsrunc') })
  for (const name of ['runc', 'crun'] as const) {
    const places = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']
    const path = places.map((directory) => join(directory, name)).find(existsSync)
    if (wanted.includes(name) && path !== undefined) runtimes.push({ name, path })
  }
  return runtimes
}

/** A bundle of its own: a root filesystem with the probe and empty directories. */
export function createBundle(patch: Patch = () => {}): Bundle {
  const directory = join(home, `bundle-${++counter}`)
  const bundle = { directory, rootfs: join(directory, 'rootfs') }
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc']) {
    mkdirSync(join(bundle.rootfs, name), { recursive: true })
  }
  // Not a link: a test may change its mode or owner.
  copyFileSync(inject('probe'), join(bundle.rootfs, 'probe'))
  writeConfig(bundle, patch)
  onTestFinished(() => removeTree(directory))
  return bundle
}

/** Refuses where something is still mounted: that would remove what is mounted there. */
function removeTree(directory: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  if (mounts.includes(` ${directory}`)) throw new Error(`left mounted below ${directory}`)
  rmSync(directory, { recursive: true, force: true })
}

export function writeConfig(bundle: Bundle, patch: Patch): void {
  const config = baseConfig()
  config.linux.cgroupsPath = `${cgroupParent}/${basename(bundle.directory)}`
  driver.place(config, bundle)
  patch(config, bundle)
  writeFileSync(join(bundle.directory, 'config.json'), stringifyJson(config, 1))
}

/** An id of its own; whatever it still names when the test ends is removed. */
export function freshId(runtime: Runtime): string {
  const id = `tsrunc-test-${process.pid}-${++counter}`
  onTestFinished(() => {
    if (existsSync(join(stateRoot, id))) invoke(runtime, ['delete', '--force', id])
  })
  return id
}

/** One call of the runtime. Its output goes to files: a created container keeps them open. */
export function invoke(
  runtime: Runtime,
  args: readonly string[],
  options: InvokeOptions = {},
): Result {
  const files = openStdio(options)
  try {
    const { status, signal } = spawnSync(
      runtime.path,
      [...globalFlags(), ...(options.globals ?? []), ...args],
      {
        stdio: [...files.fds, ...(options.descriptors ?? [])],
        env: options.env ?? { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        cwd: options.cwd ?? home,
        timeout: options.timeout ?? 30_000,
        killSignal: 'SIGKILL',
      },
    )
    return { status, signal, stdout: files.read('stdout'), stderr: files.read('stderr') }
  } finally {
    for (const fd of files.fds) closeSync(fd)
  }
}

interface StdioFiles {
  readonly fds: readonly [number, number, number]
  readonly read: (name: 'stdout' | 'stderr') => string
}

function openStdio({ input }: InvokeOptions): StdioFiles {
  const prefix = join(home, `stdio-${++counter}`)
  if (input !== undefined) writeFileSync(`${prefix}.stdin`, input)
  return {
    fds: [
      openSync(input === undefined ? '/dev/null' : `${prefix}.stdin`, 'r'),
      openSync(`${prefix}.stdout`, 'w+', 0o600),
      openSync(`${prefix}.stderr`, 'w+', 0o600),
    ],
    read: (name) => readFileSync(`${prefix}.${name}`, 'utf8'),
  }
}

/** Runs operations of the probe in a fresh container; their values, in order. */
export function probe(
  runtime: Runtime,
  operations: readonly (readonly string[])[],
  patch: Patch = () => {},
  options: InvokeOptions & { readonly flags?: readonly string[] } = {},
): Value[] {
  const result = runContainer(runtime, operations, patch, options)
  if (result.status !== 0) {
    throw new Error(
      `${runtime.name} run: status ${result.status}: ${result.stderr}${result.stdout}`,
    )
  }
  return parseValues(result.stdout)
}

/** `run` of a fresh container with the probe, whatever becomes of it. */
export function runContainer(
  runtime: Runtime,
  operations: readonly (readonly string[])[],
  patch: Patch = () => {},
  options: InvokeOptions & { readonly flags?: readonly string[] } = {},
): Result {
  const bundle = createBundle((config, own) => {
    config.process.args = probeArguments(operations)
    patch(config, own)
  })
  const flags = options.flags ?? []
  return invoke(runtime, ['run', ...flags, '--bundle', bundle.directory, freshId(runtime)], options)
}

export function probeArguments(operations: readonly (readonly string[])[]): string[] {
  return ['/probe', ...operations.flatMap((words, i) => (i === 0 ? words : ['--', ...words]))]
}

export function parseValues(stdout: string): Value[] {
  try {
    return JSON.parse(stdout) as Value[]
  } catch {
    throw new Error(`the probe printed ${JSON.stringify(stdout)}`)
  }
}

export interface Container {
  readonly id: string
  readonly bundle: Bundle
  readonly stdout: () => string
  readonly stderr: () => string
  /** pid of init, as the pid file has it. */
  readonly pid: number
}

/** `create`; throws when that fails. */
export function createContainer(
  runtime: Runtime,
  operations: readonly (readonly string[])[],
  patch: Patch = () => {},
  options: InvokeOptions & { readonly flags?: readonly string[] } = {},
): Container {
  const bundle = createBundle((config, own) => {
    config.process.args = probeArguments(operations)
    patch(config, own)
  })
  const id = freshId(runtime)
  const pidFile = join(bundle.directory, 'pid')
  const before = counter
  const flags = ['--bundle', bundle.directory, '--pid-file', pidFile, ...(options.flags ?? [])]
  const result = invoke(runtime, ['create', ...flags, id], options)
  if (result.status !== 0) throw new Error(`${runtime.name} create: ${result.stderr}`)
  const prefix = join(home, `stdio-${before + 1}`)
  return {
    id,
    bundle,
    stdout: () => readFileSync(`${prefix}.stdout`, 'utf8'),
    stderr: () => readFileSync(`${prefix}.stderr`, 'utf8'),
    pid: Number(readFileSync(pidFile, 'utf8')),
  }
}

export interface State {
  readonly ociVersion: string
  readonly id: string
  readonly status: string
  readonly pid: number
  readonly bundle: string
  readonly rootfs: string
  readonly created: string
  readonly owner: string
  readonly annotations?: Readonly<Record<string, string>>
}

export function readState(runtime: Runtime, id: string): State {
  const result = invoke(runtime, ['state', id])
  if (result.status !== 0) throw new Error(`${runtime.name} state: ${result.stderr}`)
  return JSON.parse(result.stdout) as State
}

/** Polls until the container has that status; throws after 15 s. */
export async function waitForStatus(runtime: Runtime, id: string, status: string): Promise<void> {
  await waitUntil(`${id} to be ${status}`, () => readState(runtime, id).status === status)
}

export async function waitUntil(what: string, isSo: () => boolean, seconds = 15): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((wake) => setTimeout(wake, 20))
  }
}

/** `run` in the background, with stdio as given. */
export function spawnRun(
  runtime: Runtime,
  bundle: Bundle,
  id: string,
  stdio: ('pipe' | 'ignore')[] = ['ignore', 'pipe', 'pipe'],
): ChildProcess {
  return spawn(runtime.path, [...globalFlags(), 'run', '--bundle', bundle.directory, id], {
    stdio,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
}

/** The flags of each call, before its command. */
export function globalFlags(): string[] {
  return ['--root', stateRoot, ...driver.globals]
}

/** The bundle's cgroup, below the mount point of each hierarchy. */
export function cgroupPath(bundle: Bundle): string {
  return driver.locate?.(bundle) ?? `${cgroupParent}/${basename(bundle.directory)}`
}

/** The directory of a v1 controller's cgroup of the bundle, or undefined without such a controller. */
export function cgroupDirectory(controller: string, bundle: Bundle): string | undefined {
  const mountpoint = `/sys/fs/cgroup/${controller}`
  if (!existsSync(join(mountpoint, 'cgroup.procs'))) return undefined
  return join(mountpoint, cgroupPath(bundle))
}

/** The bundle's cgroup where there is cgroup v2 and nothing else; undefined beside v1. */
export function unifiedCgroup(bundle: Bundle): string | undefined {
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return undefined
  return join('/sys/fs/cgroup', cgroupPath(bundle))
}

/** Where the runtime keeps what it knows of its containers. */
export function stateDirectory(): string {
  return stateRoot
}

/** What is in it of containers: compiled seccomp filters stay, under names that no id can be. */
export function listContainerDirectories(): string[] {
  const directory = stateDirectory()
  return existsSync(directory)
    ? readdirSync(directory).filter((name) => !name.startsWith('seccomp@'))
    : []
}

/** What this run made in the cgroup hierarchies; a directory that is not empty stays and shows. */
function removeCgroups(): void {
  const hierarchies = ['.', ...readdirSync('/sys/fs/cgroup')]
  for (const hierarchy of hierarchies) {
    const parent = join('/sys/fs/cgroup', hierarchy, cgroupParent)
    if (!existsSync(parent)) continue
    for (const entry of readdirSync(parent, { withFileTypes: true })) {
      if (entry.isDirectory()) rmdirSync(join(parent, entry.name))
    }
    rmdirSync(parent)
  }
}
