/**
 * Configs as engines write them. Only rootfs, host paths and cgroupsPath are changed to what is
 * here, and what this host cannot do: that waits for the guest, and the titles say so.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { CAPABILITIES } from '../../src/config/capabilities.ts'
import { createBundleFromHost } from '../../src/engine/bundle/from-host.ts'
import { hasReference, readReference } from '../config/reference.ts'
import type { Config } from './config.ts'
import {
  type Bundle,
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  listContainerDirectories,
  type Patch,
  parseValues,
  probeArguments,
  type Runtime,
  runContainer,
  waitForStatus,
} from './rig.ts'

interface Report {
  readonly hostname: string
  readonly uids: readonly number[]
  readonly groups: readonly number[]
  readonly env: readonly string[]
  readonly seccomp: number
  readonly noNewPrivileges: number
  readonly capabilities: Readonly<Record<string, string>>
  readonly limits: readonly (readonly string[])[]
  readonly mounts: string
  readonly cgroup: string
}

const own = readFileSync('/proc/self/status', 'utf8')
const permitted = BigInt(`0x${/CapPrm:\s*(\S+)/.exec(own)?.[1]}`)
const mayRaiseLimits = (permitted & (1n << BigInt(CAPABILITIES.indexOf('CAP_SYS_RESOURCE')))) !== 0n
const hardLimitOfFiles = Number(
  /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
)

/** The config of an engine in place of the rig's. */
function adapt(text: string, args?: readonly string[]): Patch {
  return (config, bundle) => {
    const { cgroupsPath } = config.linux
    const theirs = JSON.parse(text) as Config
    Object.assign(config, theirs)
    config.root = { ...theirs.root, path: makeRootfs(bundle) }
    config.linux = { ...theirs.linux, cgroupsPath: String(cgroupsPath) }
    if (args !== undefined) config.process.args = [...args]
    for (const mount of config.mounts) {
      if (mount.options?.some((option) => /^r?bind$/.test(option)) !== true) continue
      mount.source = makeSource(bundle, String(mount.source))
    }
    for (const hook of config.hooks?.prestart ?? []) hook.path = '/bin/true'
    if (mayRaiseLimits) return
    config.process.rlimits = (config.process.rlimits ?? []).filter(
      ({ hard, type }) => type !== 'RLIMIT_NPROC' && hard <= hardLimitOfFiles,
    )
  }
}

function makeRootfs({ directory }: Bundle): string {
  createBundleFromHost({
    directory: join(directory, 'host'),
    commands: ['echo'],
    optional: [],
    config: '',
  })
  copyFileSync(inject('probe'), join(directory, 'host/rootfs/probe'))
  return 'host/rootfs'
}

function makeSource({ directory }: Bundle, path: string): string {
  const source = join(directory, basename(path))
  if (basename(path) === 'shm') mkdirSync(source)
  else writeFileSync(source, `${basename(path)} of the engine\n`)
  return source
}

interface Mount {
  readonly type: string
  readonly options: readonly string[]
}

/** Mount point → what is mounted there last. */
function parseMounts(mountinfo: string): ReadonlyMap<string, Mount> {
  return new Map(
    mountinfo
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, , , , path = '', options = ''] = line.split(' ')
        const type = line.split(' - ')[1]?.split(' ')[0] ?? ''
        return [path, { type, options: options.split(',') }] as const
      }),
  )
}

/** What the config mounts is mounted, with its flags. */
function checkMounts(runtime: Runtime, mounts: ReadonlyMap<string, Mount>, config: Config): void {
  for (const { destination, type, options = [] } of config.mounts) {
    const found = mounts.get(destination)
    // runc 1.1 leaves the tmpfs over a v1 host's controllers writable.
    const isOmitted = runtime.name === 'runc' && type === 'cgroup'
    const known = isOmitted ? /^(nosuid|nodev|noexec)$/ : /^(ro|nosuid|nodev|noexec)$/
    const flags = options.filter((option) => known.test(option))
    expect(found?.options, destination).toEqual(expect.arrayContaining(flags))
    // A v1 host's cgroup mount is a tmpfs with the controllers in it.
    if (type !== 'bind' && type !== 'cgroup') expect(found?.type, destination).toBe(type)
  }
}

function maskOf(names: readonly string[] | undefined): string {
  const mask = (names ?? []).reduce(
    (set, name) => set | (1n << BigInt(CAPABILITIES.indexOf(name))),
    0n,
  )
  return (mask & permitted).toString(16)
}

const normalise = (digits: string | undefined) => BigInt(`0x${digits}`).toString(16)

/** By number: getrlimit(2). */
const LIMITS = 'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE'
  .split(' ')
  .map((name) => `RLIMIT_${name}`)

function checkProcess(report: Report, config: Config): void {
  const { user, capabilities = {}, rlimits = [], env = [] } = config.process
  expect(report.hostname).toBe(config.hostname ?? hostname())
  expect(report.uids).toEqual([user.uid, user.uid, user.uid])
  expect([...report.groups].toSorted()).toEqual([...(user.additionalGids ?? [])].toSorted())
  expect(report.seccomp).toBe(config.linux.seccomp === undefined ? 0 : 2)
  expect(report.noNewPrivileges).toBe(config.process.noNewPrivileges === true ? 1 : 0)
  expect(normalise(report.capabilities.bounding)).toBe(maskOf(capabilities.bounding))
  expect(normalise(report.capabilities.effective)).toBe(maskOf(capabilities.effective))
  expect(normalise(report.capabilities.permitted)).toBe(maskOf(capabilities.permitted))
  expect(normalise(report.capabilities.inheritable)).toBe('0')
  for (const { type, soft, hard } of rlimits) {
    expect(report.limits[LIMITS.indexOf(type)], type).toEqual([String(soft), String(hard)])
  }
  // Podman writes an empty HOME where it knows none; passwd knows root's.
  const others = env.filter((entry) => !entry.startsWith('HOME='))
  const home = env.find((entry) => /^HOME=./.test(entry)) ?? 'HOME=/root'
  expect([...report.env].toSorted()).toEqual([...others, home].toSorted())
}

/** In a cgroup namespace its own cgroup is `/`, else the path tells it. */
function checkCgroup(report: Report, config: Config): void {
  const isHidden = config.linux.namespaces.some(({ type }) => type === 'cgroup')
  const expected = isHidden ? '/' : config.linux.cgroupsPath
  for (const controller of ['pids', 'memory', 'devices'].filter(hasController)) {
    expect(report.cgroup).toContain(`:${controller}:${expected}\n`)
  }
}

function hasController(name: string): boolean {
  return existsSync(join('/sys/fs/cgroup', name, 'cgroup.procs'))
}

/** The limits that the kernel has in force for the cgroup. */
function checkLimits(bundle: Bundle, { linux }: Config): void {
  const { memory, cpu, pids } = linux.resources
  const wanted: readonly (readonly [string, string, bigint | number | undefined])[] = [
    ['memory', 'memory.limit_in_bytes', memory?.limit],
    ['cpu', 'cpu.cfs_quota_us', cpu?.quota],
    ['cpu', 'cpu.cfs_period_us', cpu?.period],
    ['cpu', 'cpu.shares', cpu?.shares],
    ['pids', 'pids.max', pids?.limit],
  ]
  for (const [controller, file, value] of wanted) {
    if (value === undefined || !hasController(controller)) continue
    const path = join(cgroupDirectory(controller, bundle) ?? '', file)
    expect(readFileSync(path, 'utf8').trim(), file).toBe(String(value))
  }
}

/** Pairs of operations for each path: what is masked is an empty directory or an empty file. */
function askMasked(config: Config): string[][] {
  return (config.linux.maskedPaths ?? []).flatMap((path) => [
    ['list', path],
    ['read', path],
  ])
}

function checkMasked(values: readonly unknown[], config: Config): void {
  for (const [index, path] of (config.linux.maskedPaths ?? []).entries()) {
    const [entries, content] = values.slice(2 * index)
    if (entries === 'ENOENT') continue
    if (entries === 'ENOTDIR') expect(content, path).toBe('')
    else expect(entries, path).toEqual([])
  }
}

function checkReadonly(mounts: ReadonlyMap<string, Mount>, { linux }: Config): void {
  for (const path of linux.readonlyPaths ?? []) {
    // /proc/PID aside, the container's procfs holds what the host's does.
    if (existsSync(path)) expect(mounts.get(path)?.options, path).toContain('ro')
  }
}

const OPERATIONS = [
  ['report'],
  ['mkdir', '/made'],
  ['read', '/proc/sys/net/ipv4/ping_group_range'],
  ['list', '/dev'],
  ['mknod', '/dev/disk', 'b', '8', '0'],
  ['open', '/dev/disk', 'r'],
]

function checkInside(runtime: Runtime, values: readonly unknown[], config: Config): void {
  const [first, made, range, devices, , disk, ...masked] = values
  const report = first as Report
  const mounts = parseMounts(report.mounts)
  checkProcess(report, config)
  checkCgroup(report, config)
  checkMounts(runtime, mounts, config)
  checkReadonly(mounts, config)
  checkMasked(masked, config)
  const isRoots = config.process.user.uid === 0
  expect(made).toBe(config.root.readonly === true ? 'EROFS' : isRoots ? 'ok' : 'EACCES')
  const wanted = config.linux.sysctl?.['net.ipv4.ping_group_range']
  if (wanted !== undefined) expect(range).toBe(`${wanted.replace(' ', '\t')}\n`)
  const names = (config.linux.devices ?? [])
    .map(({ path }) => path)
    .filter((path) => /^\/dev\/[^/]+$/.test(path))
    .map((path) => basename(path))
  const links = ['fd', 'stdin', 'stdout', 'stderr', 'ptmx', 'null', 'zero', 'full', 'random', 'tty']
  expect(devices).toEqual(expect.arrayContaining([...links, ...names]))
  const isPrivileged = (config.linux.devices ?? []).length > 0
  // The device filter, or the lack of CAP_MKNOD, keeps others from the host's first disk.
  expect(isPrivileged ? ['ok', 'ENXIO', 'ENODEV', 'ENOMEDIUM'] : ['EPERM', 'ENOENT']).toContain(
    disk,
  )
}

const waiting = mayRaiseLimits
  ? ''
  : ' (no CAP_SYS_RESOURCE here: limits above the hard ones wait for the guest)'

describeContainers(`configs of engines${waiting}`, (runtime: Runtime) => {
  if (!hasReference) it.skip('(skipped: the reference material is not here)', () => {})

  const configs = readReference('engine-configs')
    // runc 1.1 fails where a capability cannot be granted; the spec wants a warning.
    .filter(({ name }) => runtime.name !== 'runc' || mayRaiseLimits || !name.includes('privileged'))
    .map(({ name, text }) => [name, text] as const)

  it.each(configs)('%s: run', (_name, text) => {
    const result = runContainer(runtime, [], adapt(text))
    expect(result).toMatchObject({ status: 0, stdout: 'ok\n' })
    expect(result.stderr).not.toContain('level=error')
    const isWhole = mayRaiseLimits || !text.includes('CAP_SYS_RESOURCE')
    if (isWhole) expect(result.stderr).toBe('')
    else
      expect(result.stderr).toMatch(
        /^(time="[^"]*" level=warning msg="[^\n]* CAP_SYS_RESOURCE [^\n]*"\n)+$/,
      )
  })

  it.each(configs)('%s: create, start, delete', async (_name, text) => {
    const theirs = JSON.parse(text) as Config
    const operations = [...OPERATIONS, ...askMasked(theirs)]
    const container = createContainer(runtime, [], adapt(text, probeArguments(operations)))
    const { id, bundle } = container
    const config = JSON.parse(readFileSync(join(bundle.directory, 'config.json'), 'utf8')) as Config
    checkLimits(bundle, config)
    expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    await waitForStatus(runtime, id, 'stopped')
    checkInside(runtime, parseValues(container.stdout()), config)
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(listContainerDirectories()).toEqual([])
    for (const controller of readdirSync('/sys/fs/cgroup')) {
      const directory = cgroupDirectory(controller, bundle)
      if (directory !== undefined) expect(existsSync(directory), directory).toBe(false)
    }
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(bundle.directory)
  })
})
