import { expect, test } from 'vitest'
import type { Spec } from '../../../src/config/spec.ts'
import { planOwnership } from '../../../src/fields/linux/cgroup-ownership.ts'
import { type Changes, HYBRID, planning, UNIFIED } from '../facts.ts'

const MAP = [{ containerID: 0, hostID: 100_000, size: 1000 }]
const MOUNT = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' }

const SPEC: Partial<Spec> = {
  process: { args: ['sh'], cwd: '/', user: { uid: 7 } },
  mounts: [MOUNT],
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'cgroup' }, { type: 'user' }],
    uidMappings: MAP,
    gidMappings: MAP,
  },
}

function owner(spec: Partial<Spec>, facts: Changes['facts'] = {}): (number | undefined)[] {
  const at = planning({ spec: { ...SPEC, ...spec }, facts: { cgroup: UNIFIED, ...facts } })
  return planOwnership('/c', '/linux/cgroupsPath', at).map(({ uid }) => uid)
}

test('a v2 cgroup is its user’s, as the host has it', () => {
  expect(owner({})).toEqual([100_007])
  expect(owner({ linux: { namespaces: [{ type: 'mount' }, { type: 'cgroup' }] } })).toEqual([7])
})

test('nobody gets one that is v1, seen by others, read-only or root’s already', () => {
  expect(owner({}, { cgroup: HYBRID })).toEqual([])
  expect(owner({ linux: { namespaces: [{ type: 'mount' }] } })).toEqual([])
  expect(owner({ mounts: [{ ...MOUNT, options: ['ro'] }] })).toEqual([])
  expect(owner({ mounts: [] })).toEqual([])
  const root = { process: { args: ['sh'], cwd: '/' } }
  expect(owner({ ...root, linux: { namespaces: [{ type: 'cgroup' }] } })).toEqual([])
})

test('who has no privileges gives nothing away', () => {
  expect(owner({}, { permittedCapabilities: 0n })).toEqual([])
})
