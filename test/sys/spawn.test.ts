import { openSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { closeFd, duplicateFd } from '../../src/sys/fd.ts'
import { callKernel } from '../../src/sys/ffi.ts'
import { createMemfd, createSealedMemfd } from '../../src/sys/memfd.ts'
import { waitForChild } from '../../src/sys/process.ts'
import { type DescriptorMapping, spawnExecutable } from '../../src/sys/spawn.ts'

const RLIMIT_NOFILE = 7
const F_SETFD = 2
const owned: number[] = []

afterEach(() => {
  owned.splice(0).forEach(closeFd)
})

function own(fd: number): number {
  owned.push(fd)
  return fd
}

/** What a shell prints that was started with stdio and these fds. */
function runShell(script: string, mappings: readonly DescriptorMapping[] = []): string {
  const output = own(createMemfd('tsrunc-test-output'))
  const stdio = [
    { from: own(openSync('/dev/null', 'r')), to: 0 },
    { from: output, to: 1 },
    { from: output, to: 2 },
  ]
  const shell = own(openSync('/bin/sh', 'r'))
  const pid = spawnExecutable(shell, ['sh', '-c', script], [...stdio, ...mappings])
  expect(waitForChild(pid)).toEqual({ code: 0 })
  return readFileSync(`/proc/self/fd/${output}`, 'latin1')
}

/** As Node leaves those from some number on that it was started with. */
function makeInheritable(fd: number): void {
  callKernel('fcntl', [fd, F_SETFD, 0], `fcntl(${fd}, F_SETFD, 0)`)
}

function content(text: string): number {
  return own(createSealedMemfd('tsrunc-test', Buffer.from(text)))
}

describe('what is spawned', () => {
  test('has the fds of the map and no others', () => {
    for (let i = 0; i < 8; i++) makeInheritable(own(createMemfd('tsrunc-test-other')))
    const names = runShell('echo /proc/self/fd/*', [
      { from: content('a'), to: 3 },
      { from: content('b'), to: 9 },
    ])
    // The shell has the directory itself open, at the lowest free number.
    const numbers = names.match(/\d+/g)?.map(Number)
    expect(numbers?.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 9])
  })

  test('gets each fd although sources and targets cross', () => {
    const [a, b] = [content('A'), content('B')]
    const [low, high] = [Math.min(a, b), Math.max(a, b)]
    const crossed = [
      { from: low, to: high },
      { from: high, to: low },
    ]
    const path = (fd: number) => `/proc/self/fd/${fd}`
    const before = readFileSync(path(low), 'latin1') + readFileSync(path(high), 'latin1')
    expect(runShell(`cat ${path(low)} ${path(high)}`, crossed)).toBe(
      [...before].toReversed().join(''),
    )
  })

  test('runs although the number of its own file is a target', () => {
    const next = duplicateFd(0)
    closeFd(next)
    const all = Array.from({ length: 20 }, (_, i) => ({ from: content('x'), to: next + i }))
    expect(runShell('echo fine', all)).toBe('fine\n')
  })

  test('has an empty environment', () => {
    process.env.TSRUNC_TEST = 'there'
    expect(runShell('cat /proc/$$/environ')).toBe('')
    delete process.env.TSRUNC_TEST
  })

  test('blocks and ignores no signal', () => {
    expect(readFileSync('/proc/self/status', 'latin1')).toMatch(/^SigIgn:.*[1-9a-f]/m)
    const status = runShell('exec cat /proc/self/status')
    expect(status).toMatch(/^SigBlk:\s*0+$/m)
    expect(status).toMatch(/^SigIgn:\s*0+$/m)
  })

  test('runs where few fds are allowed', () => {
    const limits = Buffer.alloc(16)
    callKernel('prlimit64', [0, RLIMIT_NOFILE, 0, limits], 'prlimit64')
    const low = Buffer.from(limits)
    low.writeBigUInt64LE(256n, 0)
    callKernel('prlimit64', [0, RLIMIT_NOFILE, low, 0], 'prlimit64')
    try {
      expect(runShell('echo fine', [{ from: content('x'), to: 3 }])).toBe('fine\n')
    } finally {
      callKernel('prlimit64', [0, RLIMIT_NOFILE, limits, 0], 'prlimit64')
    }
  })
})

test('what is no program is an error, and leaves no fd open', () => {
  const file = content('no program')
  const next = duplicateFd(0)
  closeFd(next)
  expect(() => spawnExecutable(file, ['x'], [{ from: file, to: 3 }])).toThrow(
    /posix_spawn.*(ENOEXEC|EACCES)/,
  )
  const after = duplicateFd(0)
  closeFd(after)
  expect(after).toBe(next)
})
