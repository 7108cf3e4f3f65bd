/** `linux.netDevices`: a device of the host moves into the container's network namespace. */
import type { MoveNetDevice } from '../plan/steps.ts'
import { closeFd } from '../sys/fd.ts'
import { callKernel } from '../sys/ffi.ts'
import {
  askRoute,
  decodeAttributes,
  encodeAttribute,
  openRouteSocket,
  type RouteMessage,
  RTM,
} from '../sys/netlink.ts'

/** struct ifinfomsg, struct ifaddrmsg */
const LINK_SIZE = 16
const ADDRESS_SIZE = 8

const IFLA = { IFNAME: 3, NET_NS_FD: 28 } as const
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const
const IFF_UP = 1
const IFA_F_PERMANENT = 0x80
/** Valid everywhere: those of a link come with the link. */
const RT_SCOPE_UNIVERSE = 0
const NLM_F_CREATE_EXCLUSIVELY = 0x600
const SIOCGSKNS = 0x894c

/**
 * `inside` is an rtnetlink socket of the container's namespace. The kernel takes the device down
 * and forgets its addresses on the way: they are read before and set behind. When the container
 * ends, the kernel gives a physical device back to the host and removes a virtual one.
 */
export function moveNetDevice({ device, name }: MoveNetDevice, inside: number): void {
  const outside = openRouteSocket()
  try {
    const index = findLink(outside, device)
    const addresses = listAddresses(outside, index)
    const namespace = callKernel('ioctl', [inside, SIOCGSKNS], 'ioctl(netlink, SIOCGSKNS)')
    try {
      const attributes = [nameAttribute(name), encodeAttribute(IFLA.NET_NS_FD, word(namespace))]
      changeLink(outside, `move ${device} as ${name}`, encodeLink(index), attributes)
    } finally {
      closeFd(namespace)
    }
    const moved = findLink(inside, name)
    for (const address of addresses) addAddress(inside, name, moved, address)
    changeLink(inside, `set ${name} up`, encodeLink(moved, IFF_UP), [])
  } finally {
    closeFd(outside)
  }
}

function findLink(socket: number, name: string): number {
  const body = Buffer.concat([encodeLink(0), nameAttribute(name)])
  const [link] = askRoute(socket, { call: `RTM_GETLINK(${name})`, type: RTM.GETLINK, body })
  if (link === undefined) throw new Error(`the kernel tells nothing of ${name}`)
  return link.body.readInt32LE(4)
}

function changeLink(socket: number, what: string, link: Buffer, attributes: Buffer[]): void {
  const body = Buffer.concat([link, ...attributes])
  askRoute(socket, { call: `RTM_NEWLINK(${what})`, type: RTM.NEWLINK, body })
}

/** Those that someone gave it for good, not what is learnt of a network or made of a link. */
function listAddresses(socket: number, index: number): readonly RouteMessage[] {
  const body = Buffer.alloc(ADDRESS_SIZE)
  const call = 'RTM_GETADDR()'
  return askRoute(socket, { call, type: RTM.GETADDR, dump: true, body }).filter(({ body }) => {
    const flags = decodeAttributes(body, ADDRESS_SIZE).get(IFA.FLAGS)?.readUInt32LE(0)
    const isPermanent = ((flags ?? body.readUInt8(2)) & IFA_F_PERMANENT) !== 0
    return body.readUInt32LE(4) === index && body.readUInt8(3) === RT_SCOPE_UNIVERSE && isPermanent
  })
}

function addAddress(socket: number, name: string, index: number, { body }: RouteMessage): void {
  const known = decodeAttributes(body, ADDRESS_SIZE)
  const header = Buffer.from(body.subarray(0, ADDRESS_SIZE))
  header.writeUInt32LE(index, 4)
  const attributes = [IFA.LOCAL, IFA.ADDRESS, IFA.BROADCAST, IFA.FLAGS].flatMap((type) => {
    const value = known.get(type)
    return value === undefined ? [] : [encodeAttribute(type, value)]
  })
  const request = Buffer.concat([header, ...attributes])
  const flags = NLM_F_CREATE_EXCLUSIVELY
  askRoute(socket, { call: `RTM_NEWADDR(${name})`, type: RTM.NEWADDR, flags, body: request })
}

function encodeLink(index: number, up = 0): Buffer {
  const link = Buffer.alloc(LINK_SIZE)
  link.writeInt32LE(index, 4)
  link.writeUInt32LE(up, 8)
  link.writeUInt32LE(up, 12)
  return link
}

function nameAttribute(name: string): Buffer {
  return encodeAttribute(IFLA.IFNAME, Buffer.from(`${name}\0`))
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
