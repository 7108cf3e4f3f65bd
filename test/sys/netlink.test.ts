import { describe, expect, test } from 'vitest'
import { closeFd } from '../../src/sys/fd.ts'
import {
  askRoute,
  decodeAttributes,
  encodeAttribute,
  openRouteSocket,
  RTM,
} from '../../src/sys/netlink.ts'

describe('rtnetlink', () => {
  test('lists addresses: lo has its own', () => {
    const socket = openRouteSocket()
    const request = { call: 'RTM_GETADDR()', type: RTM.GETADDR, dump: true, body: Buffer.alloc(8) }
    const found = askRoute(socket, request).map(({ body }) => decodeAttributes(body, 8).get(1))
    closeFd(socket)
    expect(found.map((address) => address?.toString('hex'))).toContain('7f000001')
  })

  test('errors are told with the call', () => {
    const socket = openRouteSocket()
    const body = Buffer.concat([Buffer.alloc(16), encodeAttribute(3, Buffer.from('tfnone\0'))])
    const request = { call: 'RTM_GETLINK(tfnone)', type: RTM.GETLINK, body }
    expect(() => askRoute(socket, request)).toThrow('RTM_GETLINK(tfnone): ENODEV')
    closeFd(socket)
  })

  test('attributes are padded to words', () => {
    const bytes = encodeAttribute(3, Buffer.from('a\0'))
    expect([...bytes]).toEqual([6, 0, 3, 0, 97, 0, 0, 0])
    expect(decodeAttributes(Buffer.concat([bytes, bytes]), 0).get(3)).toEqual(Buffer.from('a\0'))
  })
})
