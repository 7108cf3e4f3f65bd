import { expect, it } from 'vitest'
import { parseDuration } from '../../src/cli/durations.ts'

it.each([
  ['5s', 5000],
  ['500ms', 500],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['0.5ms', 0.5],
  ['100µs', 0.1],
])('%s is %d ms', (text, expected) => {
  expect(parseDuration('--interval', text)).toBeCloseTo(expected)
})

it.each(['', '5', 's', '5 s', '-5s', '5sx', '1e3s', 'Infinitys'])('%j is no duration', (text) => {
  expect(() => parseDuration('--interval', text)).toThrow(
    '--interval must be a duration such as 5s',
  )
})

it('nothing is too short', () => {
  expect(() => parseDuration('--interval', '0s')).toThrow('must be greater than 0')
})
