/** Unix sockets that carry packets and fds: unix(7), SOCK_SEQPACKET. */
import { SyscallError } from '../errors.ts'
import { closeFd } from './fd.ts'
import { addressOf, callKernel } from './ffi.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = 0o2000000
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_SNDTIMEO = 21
/** sizeof(struct ucred) */
const CREDENTIALS_SIZE = 12
const SEND_TIMEOUT_S = 10
const SHUT_WR = 1
const SCM_RIGHTS = 1
const MSG_TRUNC = 0x20
const MSG_CTRUNC = 0x8
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000
const MSGHDR_SIZE = 56
const CMSG_HEADER = 16
const PATH_LIMIT = 107
/** SCM_MAX_FD of the kernel. */
const FD_LIMIT = 253
const BACKLOG = 16

export interface Packet {
  readonly bytes: Buffer
  /** Close-on-exec; owned by the receiver. */
  readonly fds: readonly number[]
}

/** `socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, …)`, socketpair(2). */
export function createSocketPair(): readonly [number, number] {
  const pair = new Int32Array(2)
  callKernel(
    'socketpair',
    [AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, new Uint8Array(pair.buffer)],
    'socketpair(AF_UNIX, SOCK_SEQPACKET)',
  )
  return [pair[0] ?? -1, pair[1] ?? -1]
}

/**
 * A listening SOCK_SEQPACKET socket at a path of at most 107 bytes. With a `backlog` of its own, for
 * several processes to accept from: whoever comes too late is not kept waiting, nor who connects
 * while as many already wait.
 */
export function listenUnix(path: string, backlog?: number): number {
  const nonBlocking = backlog === undefined ? 0 : SOCK_NONBLOCK
  return withSocket(SOCK_SEQPACKET | nonBlocking, (fd) => {
    const name = encodeAddress(path)
    callKernel('bind', [fd, name, name.length], `bind(${JSON.stringify(path)})`)
    callKernel('listen', [fd, backlog ?? BACKLOG], `listen(${JSON.stringify(path)})`)
  })
}

/** accept4(2): a connection, or undefined where somebody else took it or it is gone again. */
export function acceptConnection(listening: number): number | undefined {
  const tolerated = ['EAGAIN', 'ECONNABORTED', 'EINTR']
  const call = `accept4(${listening})`
  const fd = callKernel('accept4', [listening, 0, 0, SOCK_CLOEXEC], call, tolerated)
  return fd < 0 ? undefined : fd
}

/** `getsockopt(fd, SOL_SOCKET, SO_PEERCRED)`, unix(7): the pid of who connected. */
export function findPeer(connection: number): number {
  const credentials = Buffer.alloc(CREDENTIALS_SIZE)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(CREDENTIALS_SIZE)
  const args = [connection, SOL_SOCKET, SO_PEERCRED, credentials, size]
  callKernel('getsockopt', args, `getsockopt(${connection}, SO_PEERCRED)`)
  return credentials.readInt32LE(0)
}

/** A datagram socket with a name. */
export function bindDatagram(path: string): number {
  return withSocket(SOCK_DGRAM, (fd) => {
    const name = encodeAddress(path)
    callKernel('bind', [fd, name, name.length], `bind(${JSON.stringify(path)})`)
  })
}

const KINDS = { seqpacket: SOCK_SEQPACKET, stream: SOCK_STREAM, datagram: SOCK_DGRAM } as const

/**
 * connect(2) to a listening socket; `kind` is what the listener made. It is waited for no longer than
 * that, at connect as at each send: then it is EAGAIN. Packets are our own processes': no limit.
 */
export function connectUnix(
  path: string,
  kind: keyof typeof KINDS = 'seqpacket',
  seconds = kind === 'seqpacket' ? undefined : SEND_TIMEOUT_S,
): number {
  return withSocket(KINDS[kind], (fd) => {
    if (seconds !== undefined) limitSends(fd, seconds)
    const name = encodeAddress(path)
    callKernel('connect', [fd, name, name.length], `connect(${JSON.stringify(path)})`)
  })
}

/** `shutdown(fd, SHUT_WR)`, shutdown(2): the other side reads an end of file from now on. */
export function shutdownWrites(socket: number): void {
  callKernel('shutdown', [socket, SHUT_WR], `shutdown(${socket}, SHUT_WR)`)
}

/** sendmsg(2) of one packet with fds; never SIGPIPE. */
export function sendMessage(socket: number, bytes: Uint8Array, fds: readonly number[]): void {
  if (fds.length > FD_LIMIT) throw new Error(`${fds.length} fds in one message`)
  const control = Buffer.alloc(fds.length === 0 ? 0 : align(CMSG_HEADER + fds.length * 4))
  if (fds.length > 0) {
    control.writeBigUInt64LE(BigInt(CMSG_HEADER + fds.length * 4), 0)
    control.writeInt32LE(SOL_SOCKET, 8)
    control.writeInt32LE(SCM_RIGHTS, 12)
    fds.forEach((fd, index) => {
      control.writeInt32LE(fd, CMSG_HEADER + index * 4)
    })
  }
  const header = encodeMessage(bytes, control)
  callKernel('sendmsg', [socket, header, MSG_NOSIGNAL], `sendmsg(${socket})`)
}

/** sendto(2) of one datagram, without waiting for room in the receiver's queue. */
export function sendDatagram(socket: number, bytes: Uint8Array): void {
  const header = encodeMessage(bytes, Buffer.alloc(0))
  callKernel('sendmsg', [socket, header, MSG_NOSIGNAL | MSG_DONTWAIT], `sendmsg(${socket})`)
}

/**
 * recvmsg(2) of one packet of at most `limit` bytes; undefined at the end of file or when the
 * other side is gone. Waits. A packet or fds that do not fit are an error, and the fds closed.
 */
export function receiveMessage(socket: number, limit: number): Packet | undefined {
  const bytes = Buffer.alloc(limit)
  const control = Buffer.alloc(align(CMSG_HEADER + FD_LIMIT * 4))
  let header: Buffer
  let length: number
  do {
    // For each attempt anew: what it points to is held for one call (sys/ffi.ts).
    header = encodeMessage(bytes, control)
    const args = [socket, header, MSG_CMSG_CLOEXEC]
    length = callKernel('recvmsg', args, `recvmsg(${socket})`, ['EINTR', 'ECONNRESET'])
  } while (length === -4)
  if (length < 0) return undefined
  const fds = decodeFds(control.subarray(0, Number(header.readBigUInt64LE(40))))
  const flags = header.readInt32LE(48)
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
    fds.forEach(closeFd)
    throw new SyscallError('recvmsg', `recvmsg(${socket})`, 'EMSGSIZE')
  }
  if (length === 0) {
    fds.forEach(closeFd)
    return undefined
  }
  return { bytes: bytes.subarray(0, length), fds }
}

/** struct timeval */
function limitSends(fd: number, seconds: number): void {
  const time = Buffer.alloc(16)
  time.writeBigInt64LE(BigInt(seconds))
  callKernel('setsockopt', [fd, SOL_SOCKET, SO_SNDTIMEO, time, time.length], 'SO_SNDTIMEO')
}

function withSocket(type: number, prepare: (fd: number) => void): number {
  const fd = callKernel('socket', [AF_UNIX, type | SOCK_CLOEXEC, 0], 'socket(AF_UNIX)')
  try {
    prepare(fd)
    return fd
  } catch (error) {
    closeFd(fd)
    throw error
  }
}

/** struct sockaddr_un */
function encodeAddress(path: string): Buffer {
  // `@name` is in the abstract namespace: a NUL before the name, and no other after it.
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > PATH_LIMIT + 1) {
    throw new Error(`socket path ${JSON.stringify(path)}: longer than ${PATH_LIMIT} bytes`)
  }
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, name])
}

/** struct msghdr with one iovec, for the next call. */
function encodeMessage(bytes: Uint8Array, control: Buffer): Buffer {
  const vector = Buffer.alloc(16)
  // A zero-length Buffer has no address of its own: what it points to is never read.
  vector.writeBigUInt64LE(bytes.length === 0 ? 0n : addressOf(bytes), 0)
  vector.writeBigUInt64LE(BigInt(bytes.length), 8)
  const header = Buffer.alloc(MSGHDR_SIZE)
  header.writeBigUInt64LE(addressOf(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  if (control.length > 0) {
    header.writeBigUInt64LE(addressOf(control), 32)
    header.writeBigUInt64LE(BigInt(control.length), 40)
  }
  return header
}

function decodeFds(control: Buffer): number[] {
  const fds: number[] = []
  for (let at = 0; at + CMSG_HEADER <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at))
    if (length < CMSG_HEADER) break
    if (control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS) {
      const end = Math.min(at + length, control.length)
      for (let fd = at + CMSG_HEADER; fd + 4 <= end; fd += 4) fds.push(control.readInt32LE(fd))
    }
    at += align(length)
  }
  return fds
}

function align(size: number): number {
  return Math.ceil(size / 8) * 8
}
