/**
 * Stands in for `vitest` in the guest: its own runner and matchers, bundled with the tests, without
 * the transforming server and the pool of processes that would cost a minute there.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  type ExpectStatic,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect'
import type { ProvidedContext } from 'vitest'

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFailed,
  onTestFinished,
  test,
} from '@vitest/runner'

const globals = globalThis as Record<symbol, unknown>

export const expect = createExpect()

function createExpect(): ExpectStatic {
  for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)
  const expect = chai.expect as ExpectStatic
  Object.assign(expect, globals[ASYMMETRIC_MATCHERS_OBJECT])
  const state = { assertionCalls: 0, isExpectingAssertions: false }
  setState({ ...getState(expect), ...state, isExpectingAssertionsError: null }, expect)
  Object.defineProperty(globals, GLOBAL_EXPECT, { value: expect, configurable: true })
  return expect
}

/** What setup files provide on the host is in the environment here: `TSRUNC_PROVIDED_PROBE`. */
export function inject(key: keyof ProvidedContext): string {
  const value = process.env[`TSRUNC_PROVIDED_${key.toUpperCase()}`]
  if (value === undefined) throw new Error(`nothing provides ${key} in the guest`)
  return value
}
