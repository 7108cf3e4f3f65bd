import { describe, expect, test } from 'vitest'
import { planPropagation } from '../../../src/fields/linux/rootfs-propagation.ts'
import { planning } from '../facts.ts'

const plan = (rootfsPropagation?: 'private' | 'shared' | 'slave' | 'unbindable') =>
  planPropagation(
    planning({ spec: { linux: rootfsPropagation === undefined ? {} : { rootfsPropagation } } }),
  )

describe('rootfsPropagation', () => {
  test('absent makes everything a slave of the host and leaves / alone', () => {
    expect(plan()).toEqual({
      before: { propagation: 'slave', recursive: true },
      privateParent: false,
      afterwards: {},
    })
  })

  test('shared keeps the host’s peers, so the bind of the rootfs must not reach them', () => {
    expect(plan('shared')).toEqual({
      before: { propagation: 'shared', recursive: false },
      privateParent: true,
      afterwards: { propagation: { propagation: 'shared', recursive: false } },
    })
  })

  test('unbindable comes only once the rootfs is bound', () => {
    expect(plan('unbindable')).toMatchObject({
      before: { propagation: 'private', recursive: true },
      afterwards: { propagation: { propagation: 'unbindable' } },
    })
  })
})
