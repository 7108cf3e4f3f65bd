/** rtnetlink(7): requests, their answers, and attributes. */
import { SyscallError } from '../errors.ts'
import { errnoName } from './errno.ts'
import { callKernel } from './ffi.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const HEADER_SIZE = 16
/** Larger than what the kernel puts into one datagram of a dump. */
const BUFFER_SIZE = 1 << 16

const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3

/** Numbers of linux/rtnetlink.h. */
export const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22 } as const

export interface RouteMessage {
  readonly type: number
  readonly body: Buffer
}

export interface RouteRequest {
  /** What errors show: `RTM_NEWLINK(eth0)`. */
  readonly call: string
  readonly type: number
  /** NLM_F_CREATE and its like. */
  readonly flags?: number
  readonly dump?: boolean
  readonly body: Uint8Array
}

/** A socket in the network namespace of this process. */
export function openRouteSocket(): number {
  return callKernel('socket', [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0], 'socket(AF_NETLINK)')
}

/** Sends a request and takes all answers to it. Throws a SyscallError with the kernel's errno. */
export function askRoute(socket: number, request: RouteRequest): readonly RouteMessage[] {
  const { call, type, flags = 0, dump = false, body } = request
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt32LE(HEADER_SIZE + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(NLM_F_REQUEST | flags | (dump ? NLM_F_DUMP : NLM_F_ACK), 6)
  const packet = Buffer.concat([header, body])
  callKernel('sendto', [socket, packet, packet.length, 0, 0, 0], call)
  const answers: RouteMessage[] = []
  for (;;) {
    const buffer = Buffer.alloc(BUFFER_SIZE)
    const length = callKernel('recvfrom', [socket, buffer, buffer.length, 0, 0, 0], call)
    for (const message of splitMessages(buffer.subarray(0, length))) {
      if (message.type === NLMSG_DONE) return answers
      if (message.type === NLMSG_ERROR) {
        const error = -message.body.readInt32LE(0)
        if (error === 0) return answers
        throw new SyscallError('sendto', call, errnoName(error))
      }
      answers.push(message)
    }
  }
}

function splitMessages(packet: Buffer): RouteMessage[] {
  const messages: RouteMessage[] = []
  for (let at = 0; at + HEADER_SIZE <= packet.length; ) {
    const length = packet.readUInt32LE(at)
    if (length < HEADER_SIZE) break
    const body = packet.subarray(at + HEADER_SIZE, at + length)
    messages.push({ type: packet.readUInt16LE(at + 4), body })
    at += align(length)
  }
  return messages
}

/** struct rtattr with its value, padded. */
export function encodeAttribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length))
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, 4)
  return bytes
}

/** The attributes behind a message's fixed part of `size` bytes, by type. */
export function decodeAttributes(body: Buffer, size: number): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  for (let at = size; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at)
    if (length < 4) break
    attributes.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length))
    at += align(length)
  }
  return attributes
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4
}
