/** The config that every container test starts from: small, and written out so that it is seen. */
import type { Spec } from '../../src/config/spec.ts'

export type Writable<T> = T extends (infer Item)[] | readonly (infer Item)[]
  ? Writable<Item>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T

type Base = Writable<Spec>

/** With the parts that a test wants to change always there. */
export interface Config extends Base {
  process: NonNullable<Base['process']> & {
    user: NonNullable<NonNullable<Base['process']>['user']>
    args: string[]
    env: string[]
  }
  root: NonNullable<Base['root']>
  mounts: NonNullable<Base['mounts']>
  linux: NonNullable<Base['linux']> & {
    namespaces: NonNullable<NonNullable<Base['linux']>['namespaces']>
    resources: NonNullable<NonNullable<Base['linux']>['resources']>
  }
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

export function baseConfig(): Config {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/probe'],
      env: ['PATH=/bin:/usr/bin'],
      cwd: '/',
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
      },
      noNewPrivileges: true,
    },
    root: { path: 'rootfs' },
    hostname: 'base',
    mounts: [
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
        destination: '/sys',
        type: 'sysfs',
        source: 'sysfs',
        options: ['nosuid', 'noexec', 'nodev', 'ro'],
      },
    ],
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'network' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
      ],
      resources: {},
    },
  }
}
