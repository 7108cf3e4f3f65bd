import { describe, expect, test } from 'vitest'
import { evaluateFilter } from '../../src/fields/linux/seccomp-evaluate.ts'
import { type NewestCall, prependEnosys } from '../../src/sys/seccomp-enosys.ts'

const X86_64 = 0xc000_003e
const I386 = 0x4000_0003
const ARM64 = 0xc000_00b7
const X32_BIT = 0x4000_0000
const ENOSYS = 0x0005_0000 | 38
/** BPF_RET of a verdict that nothing else gives. */
const ORIGINAL = 0x0005_0007
const FILTER = Buffer.from([0x06, 0, 0, 0, 0x07, 0, 0x05, 0])

const judge = (newest: readonly NewestCall[], architecture: number, number: number) =>
  evaluateFilter(prependEnosys(FILTER, newest), { architecture, number })

describe('a call that is newer than the profile does not exist', () => {
  const both = [
    { architecture: X86_64, number: 450 },
    { architecture: I386, number: 400 },
  ]

  test.each([
    [X86_64, 450, ORIGINAL],
    [X86_64, 451, ENOSYS],
    [X86_64, 0xffff_ffff, ENOSYS],
    [I386, 400, ORIGINAL],
    [I386, 401, ENOSYS],
    [ARM64, 5000, ORIGINAL],
  ])('%i: %i', (architecture, number, verdict) => {
    expect(judge(both, architecture, number)).toBe(verdict)
  })

  test('x32 has numbers of its own', () => {
    const newest = [{ architecture: X86_64, number: 450, x32: X32_BIT + 300 }, ...both.slice(1)]
    expect(judge(newest, X86_64, 450)).toBe(ORIGINAL)
    expect(judge(newest, X86_64, 451)).toBe(ENOSYS)
    expect(judge(newest, X86_64, X32_BIT + 300)).toBe(ORIGINAL)
    expect(judge(newest, X86_64, X32_BIT + 301)).toBe(ENOSYS)
    expect(judge(newest, I386, 401)).toBe(ENOSYS)
  })
})

test('a profile without rules says nothing of any call', () => {
  expect(prependEnosys(FILTER, [])).toBe(FILTER)
})
