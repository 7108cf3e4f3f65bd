/** Fixed hosts for planner tests: nothing here looks at the machine that the tests run on. */
import type { Spec } from '../../src/config/spec.ts'
import type { SpecError } from '../../src/errors.ts'
import type { Contribution, Planning } from '../../src/fields/field.ts'
import type { CgroupFacts, CreateOptions, Facts, PathKind } from '../../src/host/facts.ts'

export const UNIFIED: CgroupFacts = {
  mode: 'unified',
  v1: [],
  v2: { mountpoint: '/sys/fs/cgroup', controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] },
}

export const HYBRID: CgroupFacts = {
  mode: 'hybrid',
  v1: [
    { mountpoint: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
    { mountpoint: '/sys/fs/cgroup/memory', controllers: ['memory'] },
    { mountpoint: '/sys/fs/cgroup/devices', controllers: ['devices'] },
    { mountpoint: '/sys/fs/cgroup/pids', controllers: ['pids'] },
    { mountpoint: '/sys/fs/cgroup/blkio', controllers: ['blkio'] },
    { mountpoint: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'] },
  ],
  v2: { mountpoint: '/sys/fs/cgroup/unified', controllers: [] },
}

const ALL_CAPABILITIES = (1n << 41n) - 1n

export const FACTS: Facts = {
  architecture: 'x64',
  uid: 0,
  gid: 0,
  cgroup: HYBRID,
  limits: { RLIMIT_NOFILE: { soft: 1024n, hard: 20000n }, RLIMIT_CORE: { soft: 0n, hard: 1000n } },
  paths: new Map<string, PathKind>([
    ['/bundle/rootfs', 'directory'],
    ['/proc/kcore', 'file'],
    ['/etc/hosts', 'file'],
    ['/etc/resolv.conf', 'file'],
    ['/bin/sh', 'file'],
    ['/srv', 'directory'],
    ['/gone', 'missing'],
  ]),
  links: new Map([['/srv/link', '../data']]),
  namespaces: new Map([
    ['/run/netns/blue', { type: 'network' as const, inode: 77n }],
    ['/proc/1/ns/uts', { type: 'uts' as const, inode: 2n }],
    ['/proc/1/ns/net', { type: 'network' as const, inode: 3n }],
    ['/proc/1/ns/mnt', { type: 'mount' as const, inode: 1n }],
    ['/proc/9/ns/pid', { type: 'pid' as const, inode: 99n }],
    ['/proc/9/ns/mnt', { type: 'mount' as const, inode: 91n }],
    ['/dev/null', undefined],
  ]),
  ownNamespaces: { mount: 1n, uts: 2n, network: 3n },
  userNamespace: { isInitial: true, setgroups: 'allow' },
  devices: new Map(),
  lastCapability: 40,
  permittedCapabilities: ALL_CAPABILITIES,
  boundingCapabilities: ALL_CAPABILITIES,
  apparmor: false,
  selinux: false,
}

export const OPTIONS: CreateOptions = {
  id: 'web1',
  bundle: '/bundle',
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  systemdCgroup: false,
  listenFds: 0,
  detach: true,
}

/** The least that can be planned. */
export const SPEC: Spec = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { args: ['sh'], cwd: '/' },
  linux: { namespaces: [{ type: 'mount' }] },
}

export interface Changes {
  readonly spec?: Partial<Spec>
  readonly options?: Partial<CreateOptions>
  readonly facts?: Partial<Facts>
}

export function planning({ spec, options, facts }: Changes = {}): Planning {
  return {
    spec: { ...SPEC, ...spec },
    options: { ...OPTIONS, ...options },
    facts: { ...FACTS, ...facts },
  }
}

/** Issues as `pointer: text`, short enough to read in a test. */
export function issuesOf({ issues = [] }: Contribution | SpecError): string[] {
  return issues.map(({ pointer, expected, found, message }) => {
    const text = found === undefined ? expected : `${expected}, found ${found}`
    return message ?? `${pointer}: ${text}`
  })
}
