import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readExecutable } from '../../../src/engine/bundle/elf.ts'
import { createBundleFromHost } from '../../../src/engine/bundle/from-host.ts'

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-bundle-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const input = { commands: ['sh'], optional: [], config: '{}\n' }

describe('a program of this host', () => {
  it('its interpreter and libraries are read without running it', () => {
    const head = readExecutable(process.execPath)
    expect(head?.interpreter).toMatch(/^\/.*ld-/)
    expect(head?.needed).toContain('libc.so.6')
  })

  it('what is no ELF file is nothing', () => {
    const file = join(freshDirectory(), 'text')
    writeFileSync(file, '\x7fELF but not really')
    expect(readExecutable(file)).toBeUndefined()
  })

  it('a truncated or senseless ELF file is no crash', () => {
    const file = join(freshDirectory(), 'broken')
    const whole = readFileSync('/bin/sh')
    for (const size of [64, 100, 4096, 20_000]) {
      writeFileSync(file, whole.subarray(0, size))
      expect(() => readExecutable(file)).not.toThrow()
    }
    const bent = Buffer.from(whole.subarray(0, 8192))
    bent.fill(0xff, 32, 60)
    writeFileSync(file, bent)
    expect(() => readExecutable(file)).not.toThrow()
  })
})

describe('a bundle from this host', () => {
  it('its programs run in its root', () => {
    const directory = join(freshDirectory(), 'new')
    createBundleFromHost({ ...input, directory, commands: ['sh', 'ls'] })
    expect(readdirSync(directory).sort()).toEqual(['config.json', 'rootfs'])
    const rootfs = join(directory, 'rootfs')
    expect(statSync(join(rootfs, 'tmp')).mode & 0o7777).toBe(0o1777)
    if (process.getuid?.() !== 0) return
    const { status, stdout } = spawnSync('chroot', [rootfs, '/bin/sh', '-c', 'ls /'], {
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['dev', 'proc', 'sys', 'tmp']))
  })

  it('the interpreter of a script comes along', () => {
    const home = freshDirectory()
    writeFileSync(join(home, 'script'), '#!/usr/bin/env cat\nhello\n')
    chmodSync(join(home, 'script'), 0o755)
    const directory = join(home, 'new')
    createBundleFromHost({ ...input, directory, commands: [join(home, 'script')] })
    expect(existsSync(join(directory, 'rootfs/usr/bin/cat'))).toBe(true)
    expect(existsSync(join(directory, 'rootfs/usr/bin/env'))).toBe(true)
  })

  it('no file keeps its set-user-id bit', () => {
    const home = freshDirectory()
    writeFileSync(join(home, 'su'), '#!/bin/sh\n')
    chmodSync(join(home, 'su'), 0o4755)
    const directory = join(home, 'new')
    createBundleFromHost({ ...input, directory, commands: [join(home, 'su')] })
    expect(statSync(join(directory, 'rootfs', home, 'su')).mode & 0o7777).toBe(0o755)
  })

  it('commands that are missing are all named, and nothing is made', () => {
    const home = freshDirectory()
    const commands = ['sh', 'no-such-program', '/no/such/path']
    expect(() =>
      createBundleFromHost({ ...input, directory: join(home, 'new'), commands }),
    ).toThrow('not found on this host: no-such-program, /no/such/path')
    expect(readdirSync(home)).toEqual([])
  })

  it('an empty directory is filled, one that is not empty is left alone', () => {
    const home = freshDirectory()
    mkdirSync(join(home, 'empty'))
    createBundleFromHost({ ...input, directory: join(home, 'empty') })
    expect(existsSync(join(home, 'empty/config.json'))).toBe(true)
    writeFileSync(join(home, 'file'), '')
    expect(() => createBundleFromHost({ ...input, directory: home })).toThrow('is not empty')
    expect(() => createBundleFromHost({ ...input, directory: join(home, 'file') })).toThrow(
      'no directory',
    )
    expect(readdirSync(home).sort()).toEqual(['empty', 'file'])
  })
})
