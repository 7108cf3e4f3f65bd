import { describe, expect, test } from 'vitest'
import type { Spec } from '../../src/config/spec.ts'
import { SpecError } from '../../src/errors.ts'
import { planCreate } from '../../src/fields/plan-create.ts'
import { PHASES } from '../../src/plan/phases.ts'
import { FACTS, issuesOf, OPTIONS, SPEC } from './facts.ts'

function refuse(spec: Spec): string[] {
  try {
    planCreate(spec, OPTIONS, FACTS)
  } catch (error) {
    if (error instanceof SpecError) return issuesOf(error)
    throw error
  }
  return []
}

const process = { args: ['sh'], cwd: '/' }

describe('the plan of create', () => {
  test('is in the order of the phases and ends with execve', () => {
    const { steps } = planCreate(SPEC, OPTIONS, FACTS)
    const ranks = steps.map(({ phase }) => PHASES.indexOf(phase))
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    expect(steps.at(-1)?.kind).toBe('execute')
  })

  test('takes the user on between the bounding set and the capabilities', () => {
    const kinds = planCreate(SPEC, OPTIONS, FACTS).steps.map(({ kind }) => kind)
    const order = ['limit-bounding-set', 'set-user', 'set-capabilities', 'find-executable'] as const
    const places = order.map((kind) => kinds.indexOf(kind))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  test('is refused with everything that is wrong at once', () => {
    const spec: Spec = {
      ...SPEC,
      root: { path: '/gone' },
      mounts: [{ destination: '/x', source: '/gone', options: ['bind'] }],
      linux: { namespaces: [{ type: 'mount' }, { type: 'pid', path: '/gone' }] },
    }
    expect(refuse(spec)).toEqual([
      '/linux/namespaces/1/path: the path of a namespace of type pid, found "/gone"',
      '/root/path: the path of a directory, found nothing at /gone',
      '/mounts/0/source: an existing path of the host, found nothing at /gone',
    ])
  })

  test('values that ask for nothing are no fields', () => {
    const spec: Spec = {
      ...SPEC,
      process: { ...process, terminal: false, selinuxLabel: '', apparmorProfile: '' },
      linux: { ...SPEC.linux, uidMappings: [], netDevices: {}, mountLabel: '' },
      windows: { layerFolders: [] },
    }
    expect(refuse(spec)).toEqual([])
  })
})
