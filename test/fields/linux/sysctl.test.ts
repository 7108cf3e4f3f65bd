import { expect, test } from 'vitest'
import type { Namespace } from '../../../src/config/spec.ts'
import { sysctl } from '../../../src/fields/linux/sysctl.ts'
import { issuesOf, planning } from '../facts.ts'

function plan(values: Record<string, string>, ...namespaces: Namespace[]) {
  if (!('plan' in sysctl)) throw new Error('sysctl is planned')
  return sysctl.plan(values, '/linux/sysctl', planning({ spec: { linux: { namespaces } } }))
}

test('both separators name the same file', () => {
  const { steps = [] } = plan(
    { 'net.ipv4.conf.eth0/100.forwarding': '1', 'net/ipv4/conf/eth0.100/rp_filter': '0' },
    { type: 'network' },
  )
  expect(steps).toEqual([
    {
      kind: 'set-sysctl',
      phase: 'sysctl',
      origin: '/linux/sysctl/net.ipv4.conf.eth0~1100.forwarding',
      path: 'net/ipv4/conf/eth0.100/forwarding',
      value: '1',
    },
    expect.objectContaining({ path: 'net/ipv4/conf/eth0.100/rp_filter', value: '0' }),
  ])
})

test('a namespace that is the host’s by path is not the container’s', () => {
  const namespace = { type: 'uts' as const, path: '/proc/1/ns/uts' }
  expect(issuesOf(plan({ 'kernel.domainname': 'x' }, namespace))).toEqual([
    "/linux/sysctl/kernel.domainname: a uts namespace that is not the host's",
  ])
  expect(issuesOf(plan({ 'kernel.shmmax': '1' }, { type: 'ipc' }))).toEqual([])
  expect(issuesOf(plan({ 'vm.swappiness': '1' }))).toHaveLength(1)
})
