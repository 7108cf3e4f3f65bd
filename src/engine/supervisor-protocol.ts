/**
 * What Node tells the supervisor that started it for a foreground `run` or `exec`. A message is
 * one datagram on the SOCK_SEQPACKET socket of the request, with its fds in one SCM_RIGHTS:
 *
 *     u32 kind, i32 pid, u32 count, u32 0
 *     count × bytes 0        the fallback: arguments, without argv[0], with which the supervisor
 *                            runs Node again when only Node can clean up
 *
 * `created` comes before the first effect of a create: if Node is killed from then on, the fallback
 * runs; with it comes the container's status page, and as `pid` the offset at which the supervisor
 * writes how init ended. `supervise` is the last thing that Node does before it exits with 0: the supervisor takes
 * the container over. A Node that exits without it failed or left the container detached, and its
 * exit status is the supervisor's. The other half is native-shims/supervisor.h.
 */

/** The most that the supervisor takes in one message. */
const MESSAGE_SIZE = 16384
const ARGUMENT_COUNT = 32
const HEADER_SIZE = 16
const KIND = { supervise: 1, created: 2 } as const

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

export interface Handover {
  /** The container's init, in the runtime's pid namespace. */
  readonly pid: number
  readonly pidfd: number
  /** Absent with `--keep`: nothing is torn down. */
  readonly teardown?: Teardown
  /** Global flags and command, e.g. `--root DIR delete --force ID`; run if the teardown fails. */
  readonly fallback: readonly string[]
}

/** The message before create's first effect; `end` is where init's end is to be written. */
export function encodeCreated(
  fallback: readonly string[],
  end?: { readonly page: number; readonly offset: number },
): SupervisorMessage {
  const bytes = encodeMessage(KIND.created, end?.offset ?? 0, fallback)
  return { bytes, descriptors: end === undefined ? [] : [end.page] }
}

/** The message that ends Node's part. */
export function encodeSupervise({ pid, pidfd, teardown, fallback }: Handover): SupervisorMessage {
  const { executor, program, status } = teardown ?? {}
  const descriptors = [pidfd, executor, program, status].filter((fd) => fd !== undefined)
  return { bytes: encodeMessage(KIND.supervise, pid, fallback), descriptors }
}

function encodeMessage(kind: number, pid: number, fallback: readonly string[]): Buffer {
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt32LE(kind, 0)
  header.writeInt32LE(pid, 4)
  header.writeUInt32LE(fallback.length, 8)
  const strings = fallback.map((argument) => Buffer.from(`${argument}\0`))
  const bytes = Buffer.concat([header, ...strings])
  if (bytes.length > MESSAGE_SIZE || fallback.length > ARGUMENT_COUNT)
    throw new Error(`the command ${fallback.join(' ')} is too long for the supervisor`)
  return bytes
}
