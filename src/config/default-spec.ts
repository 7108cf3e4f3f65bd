/** What `spec` writes: a shell in a container of the usual kind. */
import type { IdMapping, Linux, Mount, NamespaceType, Spec } from './spec.ts'

export interface DefaultSpecOptions {
  /** For a caller that is not root: a user namespace of its one id. */
  readonly rootless: boolean
  /** Whether the host has cgroup v2 only. */
  readonly unified: boolean
  /** Ids of the caller, for rootless. */
  readonly uid?: number
  readonly gid?: number
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

export function defaultSpec(options: DefaultSpecOptions): Spec {
  return {
    ociVersion: '1.3.0',
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024n, soft: 1024n }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'tsrunc',
    mounts: options.rootless ? MOUNTS.map(toRootless) : MOUNTS,
    linux: describeLinux(options),
  }
}

const MOUNTS: readonly Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  },
  {
    destination: '/sys',
    type: 'sysfs',
    source: 'sysfs',
    options: ['nosuid', 'noexec', 'nodev', 'ro'],
  },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
  },
]

/** sysfs needs a network namespace of one's own, and ids beyond the mapped one do not exist. */
function toRootless(mount: Mount): Mount {
  if (mount.destination === '/sys') {
    const options = ['rbind', 'nosuid', 'noexec', 'nodev', 'ro']
    return { destination: '/sys', type: 'none', source: '/sys', options }
  }
  if (mount.options === undefined) return mount
  return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) }
}

function describeLinux({ rootless, unified, uid = 0, gid = 0 }: DefaultSpecOptions): Linux {
  const types: NamespaceType[] = ['pid', 'ipc', 'uts', 'mount']
  types.splice(1, 0, ...(rootless ? [] : (['network'] as const)))
  if (unified) types.push('cgroup')
  if (rootless) types.push('user')
  return {
    ...(rootless
      ? { uidMappings: [mapRoot(uid)], gidMappings: [mapRoot(gid)] }
      : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
    namespaces: types.map((type) => ({ type })),
    maskedPaths: [
      '/proc/acpi',
      '/proc/asound',
      '/proc/kcore',
      '/proc/keys',
      '/proc/latency_stats',
      '/proc/timer_list',
      '/proc/timer_stats',
      '/proc/sched_debug',
      '/sys/firmware',
      '/proc/scsi',
    ],
    readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  }
}

function mapRoot(id: number): IdMapping {
  return { containerID: 0, hostID: id, size: 1 }
}
