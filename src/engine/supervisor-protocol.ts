/**
 * What Node tells the supervisor that started it for a foreground `run` or `exec`. A message is
 * one datagram on the SOCK_SEQPACKET socket of the request, with its fds in one SCM_RIGHTS:
 *
 *     u32 kind, i32 pid, u32 count, u32 given
 *     count × bytes 0        the fallback: arguments, without argv[0], with which the supervisor
 *                            runs Node again when only Node can clean up
 *
 * `created` comes before the first effect of a create: if Node is killed from then on, the fallback
 * runs. With it may come the container's status page (`given` 8); `pid` is then the offset at which
 * the supervisor writes how init ended. `supervise` is the last thing that Node does before it exits
 * with 0: the supervisor takes the process `pid` over. Its fds are a pidfd of it and then what the
 * bits of `given` tell of: 1 executor, teardown program and status page; 2 the master of its pty; 4
 * the socket that it notifies, and one that is connected to whoever waits for that. A Node that
 * exits without `supervise` failed or left the container detached, and its exit status is the
 * supervisor's. The other half is native-shims/supervisor.h.
 */

/** The most that the supervisor takes in one message. */
const MESSAGE_SIZE = 16384
const ARGUMENT_COUNT = 32
const HEADER_SIZE = 16
const KIND = { supervise: 1, created: 2 } as const
const GIVEN_PAGE = 8

export interface SupervisorMessage {
  readonly bytes: Buffer
  /** Fds to send along; the sender's copies may be closed afterwards. */
  readonly descriptors: readonly number[]
}

export interface Teardown {
  /** The executor's memfd. */
  readonly executor: number
  /** The memfd with the teardown program. */
  readonly program: number
  /** The memfd of its status page. */
  readonly status: number
}

/** sd_notify(3): two datagram sockets. */
export interface Notification {
  /** Bound to the name that the container has in NOTIFY_SOCKET. */
  readonly notified: number
  /** Connected to the socket in the caller's NOTIFY_SOCKET. */
  readonly notifies: number
}

export interface Handover {
  /** The process to stand in for, in the runtime's pid namespace: init, or one of `exec`. */
  readonly pid: number
  readonly pidfd: number
  /** Absent with `--keep`, and for `exec`: nothing is torn down. */
  readonly teardown?: Teardown
  /** The master of its pty: the supervisor copies between it and the caller's stdin and stdout. */
  readonly terminal?: number
  readonly notification?: Notification
  /** Global flags and command, e.g. `--root DIR delete --force ID`; run if the teardown fails. */
  readonly fallback: readonly string[]
}

/** The message before create's first effect; `end` is where init's end is to be written. */
export function encodeCreated(
  fallback: readonly string[],
  end?: { readonly page: number; readonly offset: number },
): SupervisorMessage {
  const bytes = encodeMessage(KIND.created, end?.offset ?? 0, fallback, end && GIVEN_PAGE)
  return { bytes, descriptors: end === undefined ? [] : [end.page] }
}

/** The message that ends Node's part. */
export function encodeSupervise(handover: Handover): SupervisorMessage {
  const { pid, pidfd, teardown, terminal, notification, fallback } = handover
  const parts = [
    teardown && [teardown.executor, teardown.program, teardown.status],
    terminal === undefined ? undefined : [terminal],
    notification && [notification.notified, notification.notifies],
  ]
  const given = parts.reduce((bits, part, index) => bits | (part === undefined ? 0 : 1 << index), 0)
  return {
    bytes: encodeMessage(KIND.supervise, pid, fallback, given),
    descriptors: [pidfd, ...parts.flatMap((part) => part ?? [])],
  }
}

function encodeMessage(kind: number, pid: number, fallback: readonly string[], given = 0): Buffer {
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt32LE(kind, 0)
  header.writeInt32LE(pid, 4)
  header.writeUInt32LE(fallback.length, 8)
  header.writeUInt32LE(given, 12)
  const strings = fallback.map((argument) => Buffer.from(`${argument}\0`))
  const bytes = Buffer.concat([header, ...strings])
  if (bytes.length > MESSAGE_SIZE || fallback.length > ARGUMENT_COUNT)
    throw new Error(`the command ${fallback.join(' ')} is too long for the supervisor`)
  return bytes
}
