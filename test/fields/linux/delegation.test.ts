import { expect, test } from 'vitest'
import type { Mount } from '../../../src/config/spec.ts'
import { planCreate } from '../../../src/fields/plan-create.ts'
import { describeStep } from '../../../src/plan/describe-step.ts'
import { FACTS, OPTIONS, SPEC, UNIFIED } from '../facts.ts'

interface Case {
  readonly annotations?: Record<string, string>
  readonly systemdCgroup?: boolean
  readonly isMapped?: boolean
  readonly mountOptions?: readonly string[]
}

function plan({ annotations = {}, systemdCgroup = false, isMapped, mountOptions }: Case) {
  const mounts: readonly Mount[] = mountOptions
    ? [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: mountOptions }]
    : []
  const range = [{ containerID: 0, hostID: 7000, size: 10 }]
  const types = ['mount', 'cgroup', ...(isMapped ? ['user' as const] : [])] as const
  const linux = {
    cgroupsPath: systemdCgroup ? 'a.slice:b:c' : '/a',
    namespaces: types.map((type) => ({ type })),
    ...(isMapped && { uidMappings: range, gidMappings: range }),
  }
  const v2 = { mountpoint: '/sys/fs/cgroup', controllers: ['cpu', 'hugetlb'] }
  const facts = {
    ...FACTS,
    cgroup: { ...UNIFIED, v2 },
    systemd: { controlGroup: '', version: 257 },
  }
  const { steps } = planCreate(
    { ...SPEC, annotations, mounts, linux },
    { ...OPTIONS, systemdCgroup },
    facts,
  )
  const wanted = steps.filter(
    ({ phase, kind }) => phase === 'cgroup' || kind === 'clone-init' || kind === 'own-cgroup',
  )
  return wanted
    .filter(({ kind }) => kind !== 'attach-device-filter' && kind !== 'start-unit')
    .map((step) => describeStep(step).replaceAll('/sys/fs/cgroup', ''))
}

test('a level that the container starts in, below its limits', () => {
  const annotations = { 'run.oci.delegate-cgroup': 'inner', 'run.oci.systemd.subgroup': 'unused' }
  expect(plan({ annotations })).toEqual([
    'make cgroup /a, enabling cpu hugetlb',
    'make cgroup /a/inner, enabling cpu hugetlb',
    'clone init in new namespaces mount cgroup, into cgroup /a/inner',
  ])
})

test('in a unit the stage goes down, and then controllers are enabled above it', () => {
  const annotations = { 'run.oci.delegate-cgroup': 'inner', 'run.oci.systemd.subgroup': 'sub' }
  const unit = '/a.slice/b-c.scope'
  expect(plan({ annotations, systemdCgroup: true })).toEqual([
    `make cgroup ${unit}/sub/inner`,
    `join cgroup ${unit}/sub/inner`,
    `write +cpu to ${unit}/cgroup.subtree_control`,
    `write +hugetlb to ${unit}/cgroup.subtree_control`,
    `write +cpu to ${unit}/sub/cgroup.subtree_control`,
    `write +hugetlb to ${unit}/sub/cgroup.subtree_control`,
    'clone init in new namespaces mount cgroup',
  ])
})

test('the level that is named belongs to the user of the container', () => {
  const annotations = { 'run.oci.delegate-cgroup': 'inner' }
  expect(plan({ isMapped: true, annotations })).toContain('give cgroup /a/inner to 7000')
  const writable = { isMapped: true, mountOptions: [] }
  const unit = '/a.slice/b-c.scope'
  expect(plan({ ...writable, systemdCgroup: true })).toContain(`give cgroup ${unit} to 7000`)
})

test.each(['..', '.', 'a/b', '../a', 'a\nb', 'a'.repeat(256)])('%j is no level', (name) => {
  const annotations = { 'run.oci.delegate-cgroup': name }
  expect(() => plan({ annotations })).toThrow('/annotations/run.oci.delegate-cgroup: expected the')
})
