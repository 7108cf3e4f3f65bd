import { expect, test } from 'vitest'
import type { ExecCpuAffinity } from '../../../src/config/spec.ts'
import { execCPUAffinity } from '../../../src/fields/process/exec-cpu-affinity.ts'
import { issuesOf, planning } from '../facts.ts'

const AT = '/process/execCPUAffinity'

function plan(configured: ExecCpuAffinity) {
  if (!('plan' in execCPUAffinity)) throw new Error('execCPUAffinity is planned')
  return execCPUAffinity.plan(configured, AT, planning())
}

test('the two lists are for before and after the process enters the cgroup', () => {
  expect(plan({ initial: '0-1,3', final: '2, 2' }).steps).toEqual([
    { kind: 'set-affinity', phase: 'initial-affinity', origin: `${AT}/initial`, cpus: [0, 1, 3] },
    { kind: 'set-affinity', phase: 'final-affinity', origin: `${AT}/final`, cpus: [2] },
  ])
  expect(plan({ initial: ' ' }).steps).toEqual([])
})

test('a range must ascend, and be of CPUs that there can be', () => {
  expect(issuesOf(plan({ initial: '3-1' }))).toEqual([
    `${AT}/initial: ranges that ascend, of CPUs below 8192, found 3-1`,
  ])
  expect(issuesOf(plan({ final: '8192' }))).toHaveLength(1)
})
