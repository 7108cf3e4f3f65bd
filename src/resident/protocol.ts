/**
 * What the front and a worker of the resident planner tell each other, over a SOCK_SEQPACKET socket.
 * A message is one packet, with its fds in one SCM_RIGHTS:
 *
 *     u32 kind, i32 value
 *
 * The worker says `ready`. The front sends `request`: its stdio, the request (host/request.ts), its
 * working directory, the reading end of a pipe that it holds open for as long as it lives, and, of a
 * child of the supervisor, the socket to that (engine/supervisor-protocol.ts); the value is its fd of
 * the pipe's other end. The worker may `refuse` before it has done anything, and the front goes on as
 * if it had not asked. Then the worker has the front `spawn` executors, whose fds 0, 1, 2 … come
 * along, the executable last: `spawned` gives the pid, or -errno. It has the front `wait` for them:
 * `ended` gives the wait status, or -errno. Its last word is `exit`, with the exit status of the
 * command. The other half is native-shims/front-resident.c.
 */
import { type Packet, receiveMessage, sendMessage } from '../sys/socket.ts'

export const KIND = {
  ready: 1,
  request: 2,
  refuse: 3,
  spawn: 4,
  spawned: 5,
  wait: 6,
  ended: 7,
  exit: 8,
} as const

export type Kind = keyof typeof KIND

const MESSAGE_SIZE = 8

export function tell(
  connection: number,
  kind: Kind,
  value = 0,
  descriptors: readonly number[] = [],
): void {
  const bytes = Buffer.alloc(MESSAGE_SIZE)
  bytes.writeUInt32LE(KIND[kind], 0)
  bytes.writeInt32LE(value, 4)
  sendMessage(connection, bytes, descriptors)
}

/** The next message; undefined when the front is gone, or what came is none of that kind. */
export function hear(connection: number, kind: Kind): Packet | undefined {
  const packet = receiveMessage(connection, MESSAGE_SIZE)
  const { bytes } = packet ?? {}
  return bytes?.length === MESSAGE_SIZE && bytes.readUInt32LE(0) === KIND[kind] ? packet : undefined
}

/** The value that the front answers with. Throws when it is gone: nothing can be done without it. */
export function hearValue(connection: number, kind: Kind): number {
  const packet = hear(connection, kind)
  if (packet === undefined) throw new Error('the front is gone, or of another build')
  return readValue(packet.bytes)
}

export function readValue(message: Buffer): number {
  return message.readInt32LE(4)
}
