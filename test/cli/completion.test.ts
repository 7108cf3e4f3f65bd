import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const home = mkdtempSync(join(tmpdir(), 'tsrunc-test-completion-'))
const tsrunc = resolve('bin/tsrunc')

beforeAll(() => {
  mkdirSync(join(home, 'a directory'))
  writeFileSync(join(home, 'a file'), '')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, stdout, stderr } = spawnSync(tsrunc, ['completion', shell], {
      encoding: 'utf8',
      env: {},
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    writeFileSync(join(home, shell), stdout)
  }
  const root = join(home, 'root')
  mkdirSync(root, { mode: 0o700 })
})
afterAll(() => rmSync(home, { recursive: true }))

/** What the shell would offer in the place of the last word. */
function complete(...words: string[]): string[] {
  const script = `source ${home}/bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tsrunc
    for word in "\${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done`
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', tsrunc, ...words], {
    encoding: 'utf8',
    cwd: home,
  })
  expect(stderr).toBe('')
  return stdout.split('\n').filter(Boolean)
}

describe('completion in bash', () => {
  it('commands', () => {
    expect(complete('cr')).toEqual(['create'])
    expect(complete('--debug', '--root', 'create', 'st')).toEqual(['start', 'state'])
  })

  it('flags of a command, wherever they stand', () => {
    expect(complete('create', '--pid')).toEqual(['--pid-file', '--pidfd-socket'])
    expect(complete('create', 'web1', '--bundle', 'x', '--no-p')).toEqual(['--no-pivot'])
    expect(complete('--log-')).toEqual(['--log-format', '--log-level'])
  })

  it('words, directories and files as values', () => {
    expect(complete('--log-format', '')).toEqual(['text', 'json'])
    expect(complete('create', '-b', 'a ')).toEqual(['a directory'])
    expect(complete('create', '--config', 'a ').toSorted()).toEqual(['a directory', 'a file'])
  })

  it('signals and the shells themselves', () => {
    expect(complete('kill', 'web1', 'TER')).toEqual(['SIGTERM'])
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  })

  it('nothing where a new name is wanted', () => {
    expect(complete('create', '')).toEqual([])
  })

  it('ids of containers of the root that was named', () => {
    const fake = join(home, 'fake')
    writeFileSync(fake, '#!/bin/sh\ntest "$*" = "--root /x list --quiet" && echo web1\n', {
      mode: 0o755,
    })
    const script = `source ${home}/bash; COMP_WORDS=(${fake} --root /x start w); COMP_CWORD=4
      _tsrunc; echo "\${COMPREPLY[*]}"`
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
    expect(stdout).toBe('web1\n')
  })
})

describe.each(['zsh', 'fish'])('completion in %s', (shell) => {
  const why = spawnSync(shell, ['-c', 'true']).status === 0 ? '' : ` (skipped: no ${shell} here)`
  it.skipIf(why !== '')(`the script is one of that shell${why}`, () => {
    const { status, stderr } = spawnSync(shell, ['-n', join(home, shell)], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})

it('completion for a shell that is not known says which are', () => {
  const { status, stderr } = spawnSync(tsrunc, ['completion', 'tcsh'], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('completion is there for bash, zsh, fish, found \\"tcsh\\"')
})
