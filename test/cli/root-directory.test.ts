/** Where the state is kept when nobody says it: engines send no --root. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const canUnshare = spawnSync('unshare', ['-Ur', 'true']).status === 0
const why = canUnshare ? '' : ' (skipped: no user namespaces for this user)'

/** `list` makes the directory that it lists. */
function makesOwn(command: readonly string[], env: Record<string, string>): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-xdg-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file = '', ...args] = [...command, resolve('bin/tsrunc'), 'list', '--quiet']
  spawnSync(file, args, { env: { ...env, XDG_RUNTIME_DIR: directory, PATH: '/usr/bin:/bin' } })
  return existsSync(join(directory, 'tsrunc'))
}

test.skipIf(!canUnshare)(`root of a user's namespace keeps it in XDG_RUNTIME_DIR${why}`, () => {
  expect(makesOwn(['unshare', '-Ur'], {})).toBe(true)
  expect(makesOwn(['unshare', '-Ur'], { USER: 'root' })).toBe(false)
})

test.skipIf(process.geteuid?.() !== 0)("the machine's root does not (needs root)", () => {
  expect(makesOwn(['env'], {})).toBe(false)
})
