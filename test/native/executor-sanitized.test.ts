/** All tests of the executor once more, with the compiler's sanitizers watching it. */
import { test } from 'vitest'
import { whyNotSanitized } from './sanitized.ts'

const why = whyNotSanitized()

if (why === undefined) {
  await import('./executor-instructions.test.ts')
  await import('./executor-processes.test.ts')
  await import('./executor-meet.test.ts')
  await import('./executor-wait.test.ts')
  await import('./executor-mkpath.test.ts')
  await import('./executor-verify.test.ts')
  await import('./executor-damage.test.ts')
} else {
  test.skip(`under sanitizers: ${why}`)
}
