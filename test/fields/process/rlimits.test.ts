import { describe, expect, test } from 'vitest'
import type { Rlimit } from '../../../src/config/spec.ts'
import { rlimits } from '../../../src/fields/process/rlimits.ts'
import { planning } from '../facts.ts'

function plan(list: readonly Rlimit[]) {
  if (!('plan' in rlimits)) throw new Error('rlimits is planned')
  const { steps = [] } = rlimits.plan(list, '/process/rlimits', planning())
  return steps.map((step) => {
    if (step.kind !== 'set-limit') throw new Error(`unexpected ${step.kind}`)
    return `${step.phase} ${step.origin} ${step.type} ${step.soft}:${step.hard}`
  })
}

describe('rlimits', () => {
  test('the caller’s NOFILE is restored where the config is silent', () => {
    expect(plan([])).toEqual(['limits /process/rlimits RLIMIT_NOFILE 1024:20000'])
  })

  test('what is lowered comes last', () => {
    expect(plan([{ type: 'RLIMIT_NOFILE', soft: 3n, hard: 3n }])).toEqual([
      'limits /process/rlimits/0 RLIMIT_NOFILE 3:3',
    ])
  })

  test('a hard limit is raised before capabilities go, the soft one stays until the end', () => {
    const infinity = 2n ** 64n - 1n
    const list: Rlimit[] = [
      { type: 'RLIMIT_NOFILE', soft: 100n, hard: 20000n },
      { type: 'RLIMIT_CORE', soft: 5n, hard: infinity },
    ]
    expect(plan(list)).toEqual([
      'limits /process/rlimits/0 RLIMIT_NOFILE 100:20000',
      `raise-limits /process/rlimits/1 RLIMIT_CORE 0:${infinity}`,
      `limits /process/rlimits/1 RLIMIT_CORE 5:${infinity}`,
    ])
  })
})
