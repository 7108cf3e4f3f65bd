import { describe, expect, test } from 'vitest'
import type { Capabilities, Process, Seccomp } from '../../../src/config/spec.ts'
import { capabilities, needsFinalCapset } from '../../../src/fields/process/capabilities.ts'
import type { Facts } from '../../../src/host/facts.ts'
import { planning } from '../facts.ts'

interface Situation {
  readonly process?: Partial<Process>
  readonly seccomp?: Seccomp
  readonly facts?: Partial<Facts>
}

function plan(sets: Capabilities, { process, seccomp, facts = {} }: Situation = {}) {
  if (!('plan' in capabilities)) throw new Error('capabilities is planned')
  const from = planning({
    spec: {
      process: { cwd: '/', ...process, capabilities: sets },
      linux: seccomp === undefined ? {} : { seccomp },
    },
    facts,
  })
  const { steps = [], warnings = [] } = capabilities.plan(sets, '/process/capabilities', from)
  return { steps, warnings, isFinal: needsFinalCapset(from) }
}

const SECCOMP: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
const KILL = 1n << 5n
const SYS_ADMIN = 1n << 21n
const FEW = { boundingCapabilities: 0b111111n, permittedCapabilities: 0b111111n }

describe('capabilities', () => {
  test('the bounding set loses what is not named, as far as it is there', () => {
    const { steps } = plan({ bounding: ['CAP_KILL', 'CAP_CHOWN'] }, { facts: FEW })
    expect(steps[0]).toEqual({
      kind: 'limit-bounding-set',
      phase: 'bounding-set',
      origin: '/process/capabilities',
      drop: [1, 2, 3, 4],
    })
  })

  test('the sets become masks, ambient numbers', () => {
    const names = ['CAP_KILL']
    const { steps, warnings } = plan({
      bounding: names,
      permitted: ['CAP_KILL', 'CAP_CHOWN'],
      effective: names,
      inheritable: names,
      ambient: names,
    })
    expect(steps.slice(1)).toEqual([
      {
        kind: 'set-capabilities',
        phase: 'capabilities',
        origin: '/process/capabilities',
        permitted: KILL | 1n,
        effective: KILL,
        inheritable: KILL,
        ambient: [5],
      },
    ])
    expect(warnings).toEqual([])
  })

  test('absent is none at all', () => {
    if (!('plan' in capabilities)) throw new Error('capabilities is planned')
    const { steps } = capabilities.absent?.('/process/capabilities', planning()) ?? {}
    expect(steps?.[0]).toMatchObject({ drop: Array.from({ length: 41 }, (_, number) => number) })
    expect(steps?.[1]).toMatchObject({ permitted: 0n, effective: 0n, inheritable: 0n, ambient: [] })
  })

  test('what cannot be granted is left out with a warning', () => {
    const sets = {
      bounding: ['CAP_KILL', 'CAP_SYS_RESOURCE', 'CAP_BPF', 'CAP_NONSENSE'],
      permitted: ['CAP_KILL', 'CAP_SYS_RESOURCE'],
      effective: ['CAP_CHOWN', 'CAP_KILL'],
      inheritable: ['CAP_CHOWN'],
      ambient: ['CAP_KILL'],
    }
    const { steps, warnings } = plan(sets, { facts: { ...FEW, lastCapability: 37 } })
    expect(steps[1]).toMatchObject({
      permitted: KILL,
      effective: KILL,
      inheritable: 0n,
      ambient: [],
    })
    expect(warnings.map((warning) => warning.replace('/process/capabilities', ''))).toEqual([
      '/bounding/2: CAP_BPF is left out: new to this kernel',
      '/bounding: CAP_SYS_RESOURCE left out: the caller does not have it',
      '/permitted: CAP_SYS_RESOURCE left out: the caller does not have it',
      '/effective: CAP_CHOWN left out: it is not permitted',
      '/inheritable: CAP_CHOWN left out: it is not in the bounding set',
      '/ambient: CAP_KILL left out: it is not permitted and inheritable',
    ])
  })

  test('without no_new_privs CAP_SYS_ADMIN is held until the filter is on', () => {
    const { steps, isFinal } = plan({ permitted: ['CAP_KILL'] }, { seccomp: SECCOMP })
    expect(isFinal).toBe(true)
    expect(steps.slice(1)).toEqual([
      expect.objectContaining({
        phase: 'capabilities',
        permitted: KILL | SYS_ADMIN,
        effective: SYS_ADMIN,
      }),
      {
        kind: 'set-capabilities',
        phase: 'final-capabilities',
        origin: '/process/capabilities',
        permitted: KILL,
        effective: 0n,
        inheritable: 0n,
      },
    ])
  })

  test('nothing is held with no_new_privs, without a filter, or where it is granted anyway', () => {
    const held = (sets: Capabilities, situation: Situation) => plan(sets, situation).isFinal
    expect(held({}, { seccomp: SECCOMP, process: { noNewPrivileges: true } })).toBe(false)
    expect(held({}, {})).toBe(false)
    const admin = ['CAP_SYS_ADMIN']
    expect(held({ permitted: admin, effective: admin }, { seccomp: SECCOMP })).toBe(false)
    expect(held({ permitted: admin }, { seccomp: SECCOMP })).toBe(true)
  })
})
