import { expect, test } from 'vitest'
import { PHASES } from '../../src/plan/phases.ts'
import { arrangePlan } from '../../src/plan/plan.ts'
import type { Step } from '../../src/plan/steps.ts'

test('steps are sorted by phase, and stay in their order within one', () => {
  const steps: Step[] = [
    { kind: 'execute', phase: 'execute', origin: '', args: ['sh'], env: [] },
    { kind: 'mask-path', phase: 'masks', origin: '/a', path: '/a' },
    { kind: 'new-session', phase: 'session', origin: '' },
    { kind: 'make-path-readonly', phase: 'masks', origin: '/b', path: '/b' },
  ]
  const plan = arrangePlan(steps, ['careful'])
  expect(plan.steps.map(({ kind }) => kind)).toEqual([
    'new-session',
    'mask-path',
    'make-path-readonly',
    'execute',
  ])
  expect(plan.warnings).toEqual(['careful'])
})

test('each phase is there once', () => {
  expect(new Set(PHASES).size).toBe(PHASES.length)
})
