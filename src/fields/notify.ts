/** sd_notify(3) for the container: a socket of its own, whose READY= `start` or `run` passes on. */
import type { Contribution, Planning } from './field.ts'

/** runc's place for it. */
export const NOTIFY_DESTINATION = '/run/notify'
export const NOTIFY_VARIABLE = `NOTIFY_SOCKET=${NOTIFY_DESTINATION}/notify.sock`

/** After the mounts of the config, which may cover /run. The socket is bound when it starts. */
export function planNotify({ options }: Planning): Contribution {
  if (options.notifyDirectory === undefined) return {}
  return {
    steps: [
      {
        kind: 'bind-mount',
        phase: 'mounts',
        origin: 'NOTIFY_SOCKET',
        source: options.notifyDirectory,
        sourceKind: 'directory',
        destination: NOTIFY_DESTINATION,
        recursive: false,
        attributes: { set: ['rdonly', 'nosuid', 'nodev', 'noexec'], clear: [] },
        recursiveAttributes: { set: [], clear: [] },
        propagation: [],
      },
    ],
  }
}
