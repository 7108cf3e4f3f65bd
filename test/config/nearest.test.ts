import { describe, expect, it } from 'vitest'
import { findNearest } from '../../src/config/nearest.ts'

describe('did you mean', () => {
  const words = ['network', 'mount', 'user', 'uts', 'rlimits']

  it.each([
    ['netwrok', 'network'],
    ['Mount', 'mount'],
    ['mounts', 'mount'],
    ['rlimit', 'rlimits'],
    ['ust', 'uts'],
  ])('%s: %s', (word, nearest) => {
    expect(findNearest(word, words)).toBe(nearest)
  })

  it('says nothing when nothing is near', () => {
    expect(findNearest('seccomp', words)).toBeUndefined()
    expect(findNearest('', words)).toBeUndefined()
    expect(findNearest('x'.repeat(100_000), ['x'.repeat(99_999)])).toBeUndefined()
  })
})
