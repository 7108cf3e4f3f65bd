import { expect, test } from 'vitest'
import { noNewPrivileges } from '../../../src/fields/process/no-new-privileges.ts'
import { oomScoreAdj } from '../../../src/fields/process/oom-score-adj.ts'
import { planning } from '../facts.ts'

test('no_new_privs is set only where it is asked for', () => {
  if (!('plan' in noNewPrivileges)) throw new Error('noNewPrivileges is planned')
  const at = '/process/noNewPrivileges'
  expect(noNewPrivileges.plan(true, at, planning()).steps).toEqual([
    { kind: 'no-new-privileges', phase: 'capabilities', origin: at },
  ])
  expect(noNewPrivileges.plan(false, at, planning()).steps ?? []).toEqual([])
})

test('oom_score_adj 0 is a value like any other', () => {
  if (!('plan' in oomScoreAdj)) throw new Error('oomScoreAdj is planned')
  const origin = '/process/oomScoreAdj'
  expect(oomScoreAdj.plan(0, origin, planning()).steps).toEqual([
    { kind: 'set-oom-score', phase: 'process', origin, value: 0 },
  ])
})
