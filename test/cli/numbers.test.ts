import { describe, expect, it } from 'vitest'
import { parseCount, parseSignal } from '../../src/cli/numbers.ts'

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
