import { describe, expect, test } from 'vitest'
import type { Field } from '../../../src/fields/field.ts'
import { planLifecycle } from '../../../src/fields/lifecycle.ts'
import { memoryPolicy } from '../../../src/fields/linux/memory-policy.ts'
import { personality } from '../../../src/fields/linux/personality.ts'
import { apparmorProfile } from '../../../src/fields/process/apparmor-profile.ts'
import { ioPriority } from '../../../src/fields/process/io-priority.ts'
import { scheduler } from '../../../src/fields/process/scheduler.ts'
import { selinuxLabel } from '../../../src/fields/process/selinux-label.ts'
import { issuesOf, planning } from '../facts.ts'

function plan<T>(field: Field<T>, value: T, facts = {}) {
  if (!('plan' in field)) throw new Error('the field is planned')
  return field.plan(value, '/at', planning({ facts }))
}

const AT = { phase: 'attributes', origin: '/at' } as const

test('a scheduler has all its numbers, 0 where the config has none', () => {
  const { steps } = plan(scheduler, {
    policy: 'SCHED_DEADLINE',
    flags: ['SCHED_FLAG_DL_OVERRUN'],
    runtime: 5n,
  })
  expect(steps).toEqual([
    {
      ...AT,
      kind: 'set-scheduler',
      policy: 'DEADLINE',
      flags: ['DL_OVERRUN'],
      nice: 0,
      priority: 0,
      runtime: 5n,
      deadline: 0n,
      period: 0n,
    },
  ])
})

test('an I/O priority without a number is the highest of its class', () => {
  expect(plan(ioPriority, { class: 'IOPRIO_CLASS_BE' }).steps).toEqual([
    { ...AT, kind: 'set-io-priority', class: 'BE', priority: 0 },
  ])
})

test('a personality', () => {
  expect(plan(personality, { domain: 'LINUX32' }).steps).toEqual([
    { ...AT, kind: 'set-personality', domain: 'LINUX32' },
  ])
})

describe('a memory policy', () => {
  test('has its nodes one by one', () => {
    const policy = { mode: 'MPOL_BIND', nodes: ' 0-2, 5 ' } as const
    expect(plan(memoryPolicy, policy).steps).toEqual([
      { ...AT, kind: 'set-memory-policy', mode: 'BIND', flags: [], nodes: [0, 1, 2, 5] },
    ])
  })

  test.each([
    ['3-1', 'a list of nodes'],
    ['a', 'a list of nodes'],
    ['0-1024', 'below 1024'],
    ['0,', 'a list of nodes'],
  ])('nodes %j are refused', (nodes, words) => {
    const [issue] = issuesOf(plan(memoryPolicy, { mode: 'MPOL_BIND', nodes }))
    expect(issue).toContain(`/at/nodes: `)
    expect(issue).toContain(words)
  })

  test('needs a mode, and one that takes nodes if it has any', () => {
    expect(issuesOf(plan(memoryPolicy, {}))).toEqual(['/at/mode: a mode such as MPOL_BIND'])
    expect(issuesOf(plan(memoryPolicy, { mode: 'MPOL_LOCAL', nodes: '0' }))).toEqual([
      '/at/nodes: no nodes for MPOL_LOCAL',
    ])
  })
})

describe.each([
  ['apparmor', apparmorProfile, { apparmor: true }],
  ['selinux', selinuxLabel, { selinux: true }],
] as const)('a label of %s', (system, field, facts) => {
  test('is for the next execve', () => {
    expect(plan(field, 'web', facts).steps).toEqual([
      { ...AT, kind: 'set-exec-label', system, label: 'web' },
    ])
  })

  test('is an error where that module is not on: the process would not be confined', () => {
    expect(issuesOf(plan(field, 'web'))[0]).toContain('/at: a host with')
    expect(plan(field, '')).toEqual({})
  })
})

test('with SELinux the session keyring gets the label of the process before it is made', () => {
  const { spec } = planning()
  const process = { ...spec.process, cwd: '/', selinuxLabel: 'a:b:c:s0' }
  const keyringOf = (selinux: boolean, noNewKeyring = false) =>
    planLifecycle(
      planning({ spec: { process }, facts: { selinux }, options: { noNewKeyring } }),
    ).steps?.filter(({ kind }) => kind.includes('keyring'))
  expect(keyringOf(true)).toMatchObject([
    { kind: 'set-keyring-label', origin: '/process/selinuxLabel', label: 'a:b:c:s0' },
    { kind: 'join-session-keyring' },
  ])
  expect(keyringOf(false)).toMatchObject([{ kind: 'join-session-keyring' }])
  expect(keyringOf(true, true)).toEqual([])
})
