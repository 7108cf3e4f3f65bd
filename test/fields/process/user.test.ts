import { expect, test } from 'vitest'
import { user } from '../../../src/fields/process/user.ts'
import { planning } from '../facts.ts'

const origin = '/process/user'

test('the user owns its stdio, has its groups and its umask', () => {
  if (!('plan' in user)) throw new Error('user is planned')
  const configured = { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 }
  expect(user.plan(configured, origin, planning()).steps).toEqual([
    { kind: 'own-stdio', phase: 'stdio', origin, uid: 5, gid: 6 },
    { kind: 'set-user', phase: 'identity', origin, uid: 5, gid: 6, additionalGids: [7] },
    { kind: 'set-umask', phase: 'identity', origin, mask: 0o77 },
  ])
})

test('absent is root with umask 0022', () => {
  if (!('plan' in user)) throw new Error('user is planned')
  expect(user.absent?.(origin, planning()).steps).toMatchObject([
    { uid: 0, gid: 0 },
    { uid: 0, gid: 0, additionalGids: [] },
    { mask: 0o022 },
  ])
})

test('an annotation keeps the groups of the caller', () => {
  if (!('plan' in user)) throw new Error('user is planned')
  const annotations = { 'run.oci.keep_original_groups': '1' }
  const { steps = [] } = user.absent?.(origin, planning({ spec: { annotations } })) ?? {}
  expect(steps[1]).toEqual({ kind: 'set-user', phase: 'identity', origin, uid: 0, gid: 0 })
})
