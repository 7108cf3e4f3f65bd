import { describe, expect, test } from 'vitest'
import type { Linux } from '../../../src/config/spec.ts'
import {
  cgroupPathOf,
  cgroupsPath,
  cgroupToCloneInto,
} from '../../../src/fields/linux/cgroups-path.ts'
import { planFields } from '../../../src/fields/walk.ts'
import { HYBRID, planningOf, UNIFIED } from './hosts.ts'

type Situation = Parameters<typeof planningOf>[0]

function plan(situation: Situation) {
  const planning = planningOf(situation)
  const fields = { cgroupsPath }
  const linux: Pick<Linux, 'cgroupsPath'> = planning.spec.linux ?? {}
  return planFields<Pick<Linux, 'cgroupsPath'>>(fields, linux, '/linux', planning)
}

const AT = '/linux/cgroupsPath'

describe('where the cgroup lies', () => {
  test.each([
    [undefined, '/tsrunc/web1'],
    ['', '/tsrunc/web1'],
    ['/kubepods/pod1', '/kubepods/pod1'],
    ['machine/web', '/tsrunc/machine/web'],
    ['system.slice:docker:3da2', '/tsrunc/system.slice:docker:3da2'],
  ])('%j is %s', (path, expected) => {
    const linux: Linux = path === undefined ? {} : { cgroupsPath: path }
    expect(cgroupPathOf(planningOf({ linux }))).toBe(expected)
  })

  test('init is cloned into it on unified hosts only', () => {
    expect(cgroupToCloneInto(planningOf({ cgroup: UNIFIED }))).toBe('/sys/fs/cgroup/tsrunc/web1')
    expect(cgroupToCloneInto(planningOf({ cgroup: HYBRID }))).toBeUndefined()
  })
})

test.each([
  '/',
  '',
  '/..',
  '/a/../b',
  'a/..',
  '/a//b',
  '/a/',
  '/a/./b',
  '/a\nb',
  `/${'a'.repeat(256)}`,
])('the path %j makes nothing outside its directory', (path) => {
  const { issues, steps } = plan({ linux: { cgroupsPath: path } })
  if (path === '') expect(issues).toEqual([])
  else
    expect({ issues: issues?.map(({ pointer }) => pointer), steps }).toEqual({
      issues: [AT],
      steps: [],
    })
})

test('a unified host has one directory, with all its controllers, and nothing to join', () => {
  expect(plan({ cgroup: UNIFIED, linux: { cgroupsPath: '/a' } }).steps).toEqual([
    {
      kind: 'make-cgroup',
      phase: 'cgroup',
      origin: AT,
      hierarchy: '/sys/fs/cgroup',
      path: '/a',
      inherit: [],
      enable: UNIFIED.v2?.controllers,
    },
  ])
})

test('a hybrid host has one in every hierarchy, each joined', () => {
  const { steps = [] } = plan({ linux: { resources: { hugepageLimits: [] } } })
  const path = '/tsrunc/web1'
  const hierarchies = [...HYBRID.v1, HYBRID.v2].map((found) => found?.mountpoint ?? '')
  expect(steps).toEqual([
    ...hierarchies.map((hierarchy) => ({
      kind: 'make-cgroup',
      phase: 'cgroup',
      origin: AT,
      hierarchy,
      path,
      inherit: hierarchy.endsWith('/cpuset') ? ['cpuset.cpus', 'cpuset.mems'] : [],
      enable: hierarchy.endsWith('/unified') ? ['hugetlb'] : [],
    })),
    ...hierarchies.map((hierarchy) => {
      return { kind: 'join-cgroup', phase: 'process', origin: AT, hierarchy, path }
    }),
  ])
})

test('beside v1 no controller of v2 is enabled that nobody asked for', () => {
  const { steps = [] } = plan({ linux: { resources: { memory: { limit: 1n } } } })
  expect(steps.flatMap((step) => (step.kind === 'make-cgroup' ? step.enable : []))).toEqual([])
})
