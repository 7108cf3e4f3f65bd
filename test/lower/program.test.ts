import { describe, expect, test } from 'vitest'
import { lowerCreate } from '../../src/lower/lower.ts'
import { printListing } from '../../src/lower/print.ts'
import type { Step } from '../../src/plan/steps.ts'

const AT = { origin: '/test' } as const

describe('the whole of a program', () => {
  const host = (kind: 'make-cgroup' | 'join-cgroup', path: string): Step => {
    const common = { ...AT, hierarchy: '/sys/fs/cgroup', path }
    if (kind === 'join-cgroup') return { ...common, kind, phase: 'process' }
    return { ...common, kind, phase: 'cgroup', inherit: [], enable: [] }
  }
  const hook = (name: 'createRuntime' | 'createContainer' | 'poststop'): Step => ({
    origin: `/hooks/${name}/0`,
    kind: 'run-hook',
    phase: name === 'poststop' ? 'poststop' : 'runtime-hooks',
    hook: name,
    path: '/hook',
    args: ['hook'],
    env: [],
    status: 'creating',
  })
  const steps: Step[] = [
    host('make-cgroup', '/a'),
    { ...AT, kind: 'clone-init', phase: 'clone', namespaces: ['mount'] },
    host('join-cgroup', '/a'),
    host('join-cgroup', '/b'),
    { ...AT, kind: 'new-session', phase: 'session' },
    hook('createRuntime'),
    hook('createContainer'),
    { ...AT, kind: 'wait-for-start', phase: 'start' },
    hook('createContainer'),
    hook('poststop'),
  ]
  const lowered = lowerCreate({ warnings: [], steps }, { architecture: 'x64', bundle: '/bundle' })

  test('host steps come before it, in runs between, and after it', () => {
    expect(lowered.prologue).toEqual([steps[0]])
    expect([...lowered.meets.values()]).toEqual([
      { kind: 'cloned' },
      { kind: 'host', steps: [steps[2], steps[3]] },
      { kind: 'host', steps: [steps[5]] },
      { kind: 'exchange', step: steps[6] },
      { kind: 'exchange', step: steps[8] },
    ])
    expect(lowered.firstStartMeet).toBe(4)
    expect(lowered.epilogue).toEqual({ poststart: [], poststop: [steps[9]] })
    expect(lowered.program.given).toEqual(['start-socket'])
  })

  test('the same plan gives the same bytes, and another architecture others', () => {
    const plan = { warnings: [], steps }
    const again = lowerCreate(plan, { architecture: 'x64', bundle: '/bundle' })
    const arm = lowerCreate(plan, { architecture: 'arm64', bundle: '/bundle' })
    expect(again.program.bytes).toEqual(lowered.program.bytes)
    expect(arm.program.bytes).not.toEqual(lowered.program.bytes)
    expect(arm.program.listing).toEqual(lowered.program.listing)
  })

  test('it is printed step by step, with labels and branches', () => {
    const text = printListing(lowered.program)
    expect(text).toContain('# clone-init (/test)\n')
    expect(text).toContain('clone3({CLONE_PIDFD|CLONE_NEWNS})  [child: init]\n')
    expect(text).toContain(' init:\n 4   meet 1: join-cgroup, join-cgroup\n')
  })
})
