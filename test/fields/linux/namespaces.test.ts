import { describe, expect, test } from 'vitest'
import type { Namespace } from '../../../src/config/spec.ts'
import type { Contribution } from '../../../src/fields/field.ts'
import { hasOwnNamespace, namespaces } from '../../../src/fields/linux/namespaces.ts'
import { type Changes, issuesOf, planning, UNIFIED } from '../facts.ts'

function plan(list: readonly Namespace[], changes: Changes = {}): Contribution {
  if (!('plan' in namespaces)) throw new Error('namespaces is planned')
  const from = planning({ ...changes, spec: { linux: { namespaces: list } } })
  return namespaces.plan(list, '/linux/namespaces', from)
}

const MOUNT = { type: 'mount' } as const

describe('namespaces', () => {
  test('new ones are made by one clone, lo is brought up in a new network', () => {
    const { steps } = plan([{ type: 'pid' }, { type: 'network' }, { ...MOUNT, path: '' }])
    expect(steps).toEqual([
      {
        kind: 'clone-init',
        phase: 'clone',
        origin: '/linux/namespaces',
        namespaces: ['pid', 'network', 'mount'],
      },
      { kind: 'raise-loopback', phase: 'network', origin: '/linux/namespaces/1' },
    ])
  })

  test('a cgroup namespace waits for the v1 cgroups', () => {
    const { steps } = plan([MOUNT, { type: 'cgroup' }])
    expect(steps?.[0]).toMatchObject({ namespaces: ['mount'] })
    expect(steps?.[1]).toEqual({
      kind: 'unshare-cgroup-namespace',
      phase: 'namespaces',
      origin: '/linux/namespaces/1',
    })
  })

  test('with v2 alone init is cloned into its cgroup, namespace and all', () => {
    const { steps } = plan([MOUNT, { type: 'cgroup' }], { facts: { cgroup: UNIFIED } })
    expect(steps).toMatchObject([
      { namespaces: ['mount', 'cgroup'], intoCgroup: '/sys/fs/cgroup/tsrunc/web1' },
    ])
  })

  test('by path they are joined: pid before the clone, mount last', () => {
    const { steps = [] } = plan([
      { ...MOUNT, path: '/proc/9/ns/mnt' },
      { type: 'network', path: '/run/netns/blue' },
      { type: 'pid', path: '/proc/9/ns/pid' },
    ])
    expect(steps[0]).toMatchObject({ kind: 'clone-init', namespaces: [] })
    expect(steps.slice(1).map((step) => [step.phase, step.origin])).toEqual([
      ['namespaces', '/linux/namespaces/1'],
      ['stage', '/linux/namespaces/2'],
      ['namespaces', '/linux/namespaces/0'],
    ])
  })

  test('a path of another type, of none, or of the runtime’s own mounts is refused', () => {
    const at = (namespace: Namespace) => issuesOf(plan([MOUNT, namespace]))
    expect(at({ type: 'pid', path: '/run/netns/blue' })).toEqual([
      '/linux/namespaces/1/path: the path of a namespace of type pid, found one of type network',
    ])
    expect(at({ type: 'pid', path: '/dev/null' })).toHaveLength(1)
    expect(at({ ...MOUNT, path: '/proc/1/ns/mnt' })).toHaveLength(1)
    expect(at({ type: 'uts', path: '/proc/1/ns/uts' })).toEqual([])
  })

  test('without a mount namespace it comes back from one where its mounts were made', () => {
    const { steps = [] } = plan([{ type: 'pid' }])
    expect(steps).toMatchObject([
      { kind: 'hold-mount-namespace', phase: 'stage' },
      { kind: 'clone-init', namespaces: ['pid', 'mount'] },
    ])
    expect(issuesOf(plan([{ type: 'user' }]))).toEqual([
      '/linux/namespaces: an entry of type mount: who is in a user namespace may not mount without it',
    ])
  })

  test('a user namespace is needed without privileges', () => {
    expect(issuesOf(plan([MOUNT], { facts: { permittedCapabilities: 0n } }))).toEqual([
      '/linux/namespaces: an entry of type user: the caller has no privileges without it',
    ])
  })

  test('the runtime’s own by path is not a namespace of the container’s own', () => {
    const own = (namespace: Namespace) =>
      hasOwnNamespace(namespace.type, planning({ spec: { linux: { namespaces: [namespace] } } }))
    expect(own({ type: 'uts' })).toBe(true)
    expect(own({ type: 'uts', path: '/proc/1/ns/uts' })).toBe(false)
    expect(own({ type: 'network', path: '/run/netns/blue' })).toBe(true)
  })
})
