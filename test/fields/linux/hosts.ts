/** Plannings on hosts as tests need them. */
import type { Linux, Process } from '../../../src/config/spec.ts'
import type { Planning } from '../../../src/fields/field.ts'
import type { CgroupFacts, SeccompFacts } from '../../../src/host/facts.ts'

export const UNIFIED: CgroupFacts = {
  mode: 'unified',
  v1: [],
  v2: {
    mountpoint: '/sys/fs/cgroup',
    controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma'],
  },
}

export const HYBRID: CgroupFacts = {
  mode: 'hybrid',
  v1: [
    ...['cpu', 'cpuset', 'memory', 'devices', 'blkio', 'pids', 'net_cls', 'net_prio'].map(
      (name) => ({ mountpoint: `/sys/fs/cgroup/${name}`, controllers: [name] }),
    ),
    { mountpoint: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'] },
  ],
  v2: { mountpoint: '/sys/fs/cgroup/unified', controllers: ['hugetlb'] },
}

interface Situation {
  readonly cgroup?: CgroupFacts
  readonly linux?: Linux
  readonly process?: Process
  readonly seccomp?: SeccompFacts
  readonly systemdCgroup?: boolean
}

export function planningOf(situation: Situation): Planning {
  const { cgroup = HYBRID, linux = {}, process = { cwd: '/' }, seccomp } = situation
  return {
    spec: { ociVersion: '1.0.2', linux, process },
    options: {
      id: 'web1',
      bundle: '/bundle',
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      systemdCgroup: situation.systemdCgroup ?? false,
      listenFds: 0,
      detach: true,
    },
    facts: {
      architecture: 'x64',
      uid: 0,
      gid: 0,
      cgroup,
      limits: {},
      paths: new Map(),
      links: new Map(),
      namespaces: new Map(),
      ownNamespaces: {},
      userNamespace: { isInitial: true, setgroups: 'allow' },
      devices: new Map(),
      lastCapability: 40,
      permittedCapabilities: 0x1ff_ffff_ffffn,
      boundingCapabilities: 0x1ff_ffff_ffffn,
      apparmor: false,
      selinux: false,
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  }
}
