/** What becomes of output that nobody gets. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

function features(redirection: string) {
  const script = `${resolve('bin/tsrunc')} features ${redirection}; echo "$?"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  return { status: Number(stdout), stderr }
}

test('on a full disk it is an error', () => {
  const { status, stderr } = features('>/dev/full')
  expect(status).toBe(1)
  expect(stderr).toContain('features: write(): ENOSPC')
})

test('that nobody reads is none, and neither are words that stderr does not take', () => {
  expect(features('> >(exec true)')).toEqual({ status: 0, stderr: '' })
  expect(features('>/dev/full 2>/dev/full')).toEqual({ status: 1, stderr: '' })
})
