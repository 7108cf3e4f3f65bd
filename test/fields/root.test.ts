import { describe, expect, test } from 'vitest'
import type { Contribution } from '../../src/fields/field.ts'
import { root } from '../../src/fields/root.ts'
import { planFields } from '../../src/fields/walk.ts'
import { type Changes, issuesOf, planning } from './facts.ts'

function plan(changes: Changes = {}): Contribution {
  const from = planning(changes)
  return planFields(root, from.spec.root, '/root', from)
}

describe('root', () => {
  test('is bound onto itself and pivoted into', () => {
    expect(plan().steps).toEqual([
      {
        kind: 'bind-rootfs',
        phase: 'rootfs',
        origin: '/root/path',
        path: '/bundle/rootfs',
        privateParent: false,
      },
      { kind: 'enter-root', phase: 'enter-root', origin: '/root/path', method: 'pivot' },
    ])
  })

  test('read-only becomes so after all mounts', () => {
    const { steps } = plan({ spec: { root: { path: '/bundle/rootfs/', readonly: true } } })
    expect(steps?.at(-1)).toEqual({
      kind: 'finish-readonly',
      phase: 'readonly',
      origin: '/root/readonly',
      destination: '/',
    })
  })

  test('with --no-pivot is moved', () => {
    expect(plan({ options: { noPivot: true } }).steps?.[1]).toMatchObject({ method: 'move' })
  })

  test('that is a file, a link or missing is refused', () => {
    for (const kind of ['file', 'link', 'missing'] as const) {
      const issues = issuesOf(plan({ facts: { paths: new Map([['/bundle/rootfs', kind]]) } }))
      expect(issues, kind).toHaveLength(1)
      expect(issues[0]).toMatch('/root/path: the path of a directory')
    }
  })
})
