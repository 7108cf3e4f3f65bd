/** A config that uses all that `create` can do, so that whatever can leak has a chance to. */
import { join } from 'node:path'
import type { Spec } from '../../src/config/spec.ts'

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE', 'CAP_SETUID']

export interface RichOptions {
  readonly directory: string
  /** Absolute. */
  readonly cgroupsPath: string
  readonly args: readonly string[]
}

/** The hooks of the runtime's kinds append their names to `order` in the bundle. */
export function richConfig({ directory, cgroupsPath, args }: RichOptions): Spec {
  return {
    ociVersion: '1.3.0',
    process: {
      terminal: false,
      user: { uid: 1000, gid: 1000, additionalGids: [10, 20], umask: 0o27 },
      args,
      env: ['PATH=/none:/bin:/'],
      cwd: '/made/by/create',
      capabilities: {
        bounding: CAPABILITIES,
        effective: ['CAP_KILL'],
        permitted: ['CAP_KILL'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      },
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 64n, hard: 64n },
        { type: 'RLIMIT_CORE', soft: 0n, hard: 0n },
      ],
      noNewPrivileges: true,
      oomScoreAdj: 100,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'rich',
    domainname: 'example.org',
    mounts: richMounts(directory),
    annotations: { 'org.example.key': 'value' },
    hooks: richHooks(directory),
    linux: {
      cgroupsPath,
      namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map((type) => ({
        type,
      })),
      sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shm_rmid_forced': '1' },
      devices: [{ path: '/dev/own/null', type: 'c', major: 1, minor: 3, fileMode: 0o666 }],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
        ],
        memory: { limit: 64n * 1024n ** 2n },
        cpu: { shares: 512n, quota: 50_000n, period: 100_000n },
        pids: { limit: 32n },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['swapon', 'reboot'], action: 'SCMP_ACT_ERRNO' }],
      },
      rootfsPropagation: 'slave',
      maskedPaths: ['/proc/kcore', '/proc/keys', '/sys/firmware', '/proc/acpi', '/not/there'],
      readonlyPaths: ['/proc/sys', '/proc/irq', '/not/there'],
    },
  }
}

function richMounts(directory: string): NonNullable<Spec['mounts']> {
  const plain = ['nosuid', 'noexec', 'nodev']
  return [
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
      options: [...plain, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: plain },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...plain, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...plain, 'relatime', 'ro'],
    },
    { destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'mode=755'] },
    {
      destination: '/made/for/a/file',
      source: join(directory, 'config.json'),
      options: ['bind', 'ro'],
    },
    {
      destination: '/made/for/a/directory',
      source: join(directory, 'source'),
      options: ['rbind', 'rslave', 'nosuid'],
    },
  ]
}

function richHooks(directory: string): NonNullable<Spec['hooks']> {
  const touch = (name: string) => [
    {
      path: '/bin/sh',
      args: ['sh', '-c', `echo ${name} >> ${directory}/order`],
      env: ['PATH=/usr/bin:/bin'],
      timeout: 10,
    },
  ]
  return {
    prestart: touch('prestart'),
    createRuntime: touch('createRuntime'),
    createContainer: touch('createContainer'),
    startContainer: [{ path: '/probe', args: ['probe', 'exit', '0'], timeout: 10 }],
    poststart: touch('poststart'),
    poststop: touch('poststop'),
  }
}
