import { expect, test } from 'vitest'
import { cwd } from '../../../src/fields/process/cwd.ts'
import { planning } from '../facts.ts'

function plan(path: string) {
  if (!('plan' in cwd)) throw new Error('cwd is planned')
  return cwd.plan(path, '/process/cwd', planning()).steps
}

test('the cwd is made while the root is writable, entered as root, verified as the user', () => {
  const origin = '/process/cwd'
  expect(plan('/work/../srv/app/')).toEqual([
    { kind: 'make-directory', phase: 'working-directory', origin, path: '/srv/app' },
    { kind: 'change-directory', phase: 'directory', origin, path: '/srv/app' },
    { kind: 'verify-directory', phase: 'executable', origin },
  ])
})

test('the root need not be made', () => {
  expect(plan('/')?.map(({ kind }) => kind)).toEqual(['change-directory', 'verify-directory'])
})
