/** The fd of SCMP_ACT_NOTIFY goes to the agent that answers for it: seccomp_unotify(2). */
import { describeError, StepError } from '../errors.ts'
import type { SeccompListener } from '../plan/steps.ts'
import { closeFd } from '../sys/fd.ts'
import { connectUnix, sendMessage } from '../sys/socket.ts'
import { describeHookState, type HookContainer } from './hook-state.ts'

/** `pid` is the process that runs under the filter: of `exec` it is not the container's. */
export interface ListenerMessage {
  readonly listener: SeccompListener
  readonly origin: string
  readonly fd: number
  readonly container: HookContainer
  readonly status: 'created' | 'running'
  readonly pid: number
}

/**
 * Sends it with the container process state (runtime-spec, config-linux.md#containerprocessstate).
 * An agent that does not take it in time is an error: nobody shall wait for it without end.
 */
export function sendListener(message: ListenerMessage): void {
  const { listener, container, status, pid } = message
  const state = {
    ociVersion: container.ociVersion,
    fds: ['seccompFd'],
    pid,
    metadata: listener.metadata,
    state: describeHookState(container, status),
  }
  try {
    const socket = connectUnix(listener.path, 'stream')
    try {
      sendMessage(socket, Buffer.from(JSON.stringify(state)), [message.fd])
    } finally {
      closeFd(socket)
    }
  } catch (error) {
    throw new StepError(message.origin, `the seccomp agent: ${describeError(error)}`, {
      cause: error,
    })
  }
}
