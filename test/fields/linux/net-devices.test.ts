import { expect, test } from 'vitest'
import type { NetDevice } from '../../../src/config/spec.ts'
import { netDevices } from '../../../src/fields/linux/net-devices.ts'
import { issuesOf, planning, SPEC } from '../facts.ts'

const AT = '/linux/netDevices'

function plan(configured: Record<string, NetDevice>, path?: string) {
  if (!('plan' in netDevices)) throw new Error('netDevices is planned')
  const network = { type: 'network', ...(path === undefined ? {} : { path }) } as const
  const linux = { ...SPEC.linux, namespaces: [network] }
  return netDevices.plan(configured, AT, planning({ spec: { linux } }))
}

test('a device keeps its name unless it gets another', () => {
  const step = { kind: 'move-net-device', phase: 'network' }
  expect(plan({ eth1: { name: 'blue0' }, 'a~b': { name: '' } }).steps).toEqual([
    { ...step, origin: `${AT}/eth1`, device: 'eth1', name: 'blue0' },
    { ...step, origin: `${AT}/a~0b`, device: 'a~b', name: 'a~b' },
  ])
})

test('a namespace that is the host’s takes none', () => {
  expect(plan({ eth1: {} }, '/run/netns/blue').steps).toHaveLength(1)
  expect(issuesOf(plan({ eth1: {} }, '/proc/1/ns/net'))).toHaveLength(1)
})
