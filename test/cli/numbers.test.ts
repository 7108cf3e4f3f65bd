import { describe, expect, it } from 'vitest'
import { parseCount, parseInteger, parseSignal, parseSize } from '../../src/cli/numbers.ts'

describe('signals', () => {
  it.each([
    ['9', 9],
    ['KILL', 9],
    ['SIGKILL', 9],
    ['sigterm', 15],
    ['0', 0],
    ['64', 64],
    ['RTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
  ])('%s is %i', (text, number) => {
    expect(parseSignal(text)).toBe(number)
  })

  it.each([
    '',
    '65',
    '-1',
    '9x',
    '0x9',
    '1e1',
    ' 9',
    'KILLL9',
    'RTMIN+31',
    'RTMAX+1',
    'SIG',
    '__proto__',
  ])('%j is refused', (text) => {
    expect(() => parseSignal(text)).toThrow(/unknown signal/)
  })

  it('the nearest name is offered', () => {
    expect(() => parseSignal('SIGTREM')).toThrow('did you mean TERM?')
  })
})

describe('counts', () => {
  it.each(['', '-1', '1.5', '0x3', '3 ', '99999999', 'three'])('%j is refused', (text) => {
    expect(() => parseCount('--preserve-fds', text)).toThrow('--preserve-fds must be a number')
  })

  it('digits are taken', () => {
    expect(parseCount('--preserve-fds', '03')).toBe(3)
  })
})

describe('sizes', () => {
  it.each([
    ['0', 0n],
    ['4096', 4096n],
    ['50M', 52_428_800n],
    ['50mb', 52_428_800n],
    ['50 MiB', 52_428_800n],
    ['1.5g', 1_610_612_736n],
    ['1T', 1_099_511_627_776n],
    ['16b', 16n],
    ['-1', -1n],
  ])('%j is %s bytes', (text, expected) => {
    expect(parseSize('--memory', text)).toBe(expected)
  })

  it.each(['', '-2', '50X', 'M', '1e3', '0x10', '5M0', '--1', '1.M'])('%j is none', (text) => {
    expect(() => parseSize('--memory', text)).toThrow('--memory must be a size such as 50M')
  })
})

it('whole numbers may be below 0', () => {
  expect(parseInteger('--cpu-quota', '-1')).toBe(-1n)
  expect(parseInteger('--cpu-quota', '18446744073709551615')).toBe(2n ** 64n - 1n)
  for (const text of ['', '1.5', '1e3', '+1', '0x1']) {
    expect(() => parseInteger('--cpu-quota', text)).toThrow('--cpu-quota must be a number')
  }
})
