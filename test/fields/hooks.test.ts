import { describe, expect, test } from 'vitest'
import type { Hooks } from '../../src/config/spec.ts'
import { hooks } from '../../src/fields/hooks.ts'
import { planFields } from '../../src/fields/walk.ts'
import { issuesOf, planning } from './facts.ts'

const plan = (configured: Hooks) => planFields(hooks, configured, '/hooks', planning())
const KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
const each = (path: string): Hooks => Object.fromEntries(KINDS.map((kind) => [kind, [{ path }]]))

describe('hooks', () => {
  test('each kind has its phase and the status of its state', () => {
    const { steps = [] } = plan(each('/bin/sh'))
    const seen = steps.map((step) =>
      step.kind === 'run-hook' ? [step.hook, step.phase, step.status] : [],
    )
    expect(seen).toEqual([
      ['prestart', 'runtime-hooks', 'created'],
      ['createRuntime', 'runtime-hooks', 'creating'],
      ['createContainer', 'container-hooks', 'creating'],
      ['startContainer', 'start-hooks', 'created'],
      ['poststart', 'poststart', 'running'],
      ['poststop', 'poststop', 'stopped'],
    ])
  })

  test('the path stands for missing args, the environment is exactly what is given', () => {
    const hook = { path: '/bin/sh', args: ['sh', '-c', 'true'], env: ['A=1'], timeout: 3 }
    const { steps } = plan({ prestart: [{ path: '/bin/sh' }, hook] })
    expect(steps).toMatchObject([
      { origin: '/hooks/prestart/0', path: '/bin/sh', args: ['/bin/sh'], env: [] },
      { origin: '/hooks/prestart/1', ...hook },
    ])
    expect(steps?.[0]).not.toHaveProperty('timeout')
  })

  test('inside the container there is room for thirty of a kind', () => {
    const many = (count: number) => Array.from({ length: count }, () => ({ path: '/bin/sh' }))
    expect(issuesOf(plan({ createContainer: many(30), startContainer: many(30) }))).toEqual([])
    expect(issuesOf(plan({ createRuntime: many(99), startContainer: many(31) }))).toEqual([
      '/hooks/startContainer: at most 30 hooks, found 31',
    ])
  })

  test('a missing hook stops create, a later one is only warned of, the container’s is its own', () => {
    const contribution = plan(each('/gone'))
    expect(issuesOf(contribution)).toEqual(
      ['prestart', 'createRuntime', 'createContainer'].map(
        (kind) => `/hooks/${kind}/0/path: the path of an executable file, found nothing at /gone`,
      ),
    )
    expect(contribution.warnings).toEqual([
      '/hooks/poststart/0/path: nothing at /gone now',
      '/hooks/poststop/0/path: nothing at /gone now',
    ])
  })
})
