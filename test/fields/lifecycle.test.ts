import { expect, test } from 'vitest'
import { planLifecycle } from '../../src/fields/lifecycle.ts'
import { planning } from './facts.ts'

test('every container gets a session, a keyring, the wait for start and clean descriptors', () => {
  expect(planLifecycle(planning()).steps).toEqual([
    { kind: 'new-session', phase: 'session', origin: '' },
    { kind: 'join-session-keyring', phase: 'session', origin: '', name: '_ses.web1' },
    { kind: 'record-created', phase: 'created', origin: '' },
    { kind: 'wait-for-start', phase: 'start', origin: '' },
    { kind: 'arrange-descriptors', phase: 'descriptors', origin: '', preserved: 0 },
  ])
})

test('no keyring where it is not wanted; sockets and preserved descriptors are counted', () => {
  const options = { noNewKeyring: true, listenFds: 2, preserveFds: 3 }
  const { steps = [] } = planLifecycle(planning({ options }))
  expect(steps.map(({ kind }) => kind)).not.toContain('join-session-keyring')
  expect(steps.at(-1)).toMatchObject({ origin: '--preserve-fds', preserved: 5 })
})
