import { expect, test } from 'vitest'
import { maskedPaths } from '../../../src/fields/linux/masked-paths.ts'
import { readonlyPaths } from '../../../src/fields/linux/readonly-paths.ts'
import { planning } from '../facts.ts'

test('a path is masked once, however often it is named', () => {
  if (!('plan' in maskedPaths)) throw new Error('maskedPaths is planned')
  const { steps } = maskedPaths.plan(['/proc/kcore', '/sys/x/', '/sys//x'], '/m', planning())
  expect(steps).toEqual([
    { kind: 'mask-path', phase: 'masks', origin: '/m/0', path: '/proc/kcore' },
    { kind: 'mask-path', phase: 'masks', origin: '/m/1', path: '/sys/x' },
  ])
})

test('read-only paths keep their order', () => {
  if (!('plan' in readonlyPaths)) throw new Error('readonlyPaths is planned')
  const { steps } = readonlyPaths.plan(['/proc/sys', '/proc/bus'], '/r', planning())
  expect(steps).toEqual([
    { kind: 'make-path-readonly', phase: 'masks', origin: '/r/0', path: '/proc/sys' },
    { kind: 'make-path-readonly', phase: 'masks', origin: '/r/1', path: '/proc/bus' },
  ])
})
