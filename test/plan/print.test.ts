import { describe, expect, test } from 'vitest'
import { describeStep } from '../../src/plan/describe-step.ts'
import { printPlan } from '../../src/plan/print.ts'

const NONE = { set: [], clear: [] } as const

describe('a plan as text', () => {
  test('has a line for each step: phase, origin, what', () => {
    const text = printPlan({
      warnings: ['something is odd'],
      steps: [
        { kind: 'new-session', phase: 'session', origin: '' },
        { kind: 'set-hostname', phase: 'hostname', origin: '/hostname', name: 'web' },
      ],
    })
    expect(text.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['warning: something is odd'],
      ['session', '-', 'start a session'],
      ['hostname', '/hostname', 'set hostname web'],
      [''],
    ])
  })

  test('cannot be broken by a name', () => {
    const name = 'web\n\u001b[31mred'
    const step = { kind: 'set-hostname', phase: 'hostname', origin: '/hostname', name } as const
    const text = printPlan({ warnings: [], steps: [step] })
    expect(text.split('\n')).toHaveLength(2)
    expect(text).not.toContain('\u001b')
  })
})

describe('a step in words', () => {
  test('shows all that a mount has', () => {
    const mount = {
      kind: 'mount-filesystem',
      phase: 'mounts',
      origin: '/mounts/0',
      destination: '/tmp',
      type: 'tmpfs',
      source: 'shm',
      parameters: [{ key: 'mode', value: '755' }, { key: 'noswap' }],
      attributes: { set: ['nosuid'], clear: ['noexec'] },
      recursiveAttributes: { set: ['rdonly'], clear: [] },
      propagation: [{ propagation: 'private', recursive: true }],
      copyUp: true,
    } as const
    expect(describeStep(mount)).toBe(
      'mount tmpfs shm on /tmp (nosuid,!noexec,rrdonly,rprivate,mode=755,noswap,tmpcopyup)',
    )
    const bare = { parameters: [], attributes: NONE, recursiveAttributes: NONE, propagation: [] }
    expect(describeStep({ ...mount, ...bare, source: 'tmpfs', copyUp: false })).toBe(
      'mount tmpfs on /tmp',
    )
  })

  test('shows limits with all their digits, and what has none', () => {
    const limit = { kind: 'set-limit', phase: 'limits', origin: '', type: 'RLIMIT_AS' } as const
    expect(describeStep({ ...limit, soft: 2n ** 63n + 1n, hard: 2n ** 64n - 1n })).toBe(
      'set RLIMIT_AS 9223372036854775809:unlimited',
    )
  })

  test('quotes words only where one could not tell them apart', () => {
    const args = ['sh', '-c', 'echo a b', '', 'c"d']
    expect(describeStep({ kind: 'execute', phase: 'execute', origin: '', args, env: [] })).toBe(
      'execute sh -c "echo a b" "" "c\\"d"',
    )
  })
})
