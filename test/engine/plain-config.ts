/** The smallest config worth a container, for tests that make many. */
import type { Spec } from '../../src/config/spec.ts'

export interface PlainOptions {
  readonly cgroupsPath: string
  readonly args: readonly string[]
  /** In bytes. */
  readonly memory?: bigint
  readonly hooks?: NonNullable<Spec['hooks']>
}

export function plainConfig({ cgroupsPath, args, memory, hooks }: PlainOptions): Spec {
  return {
    ociVersion: '1.3.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/'],
      cwd: '/',
      capabilities: {},
      noNewPrivileges: true,
    },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    ],
    ...(hooks && { hooks }),
    linux: {
      cgroupsPath,
      namespaces: (['pid', 'network', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type })),
      resources: memory === undefined ? {} : { memory: { limit: memory } },
    },
  }
}

/** A hook that runs a line of shell on the host. */
export function shellHook(line: string) {
  return [{ path: '/bin/sh', args: ['sh', '-c', line], env: ['PATH=/usr/bin:/bin'] }]
}
