import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { release } from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { closeFd } from '../../src/sys/fd.ts'
import { createMemfd } from '../../src/sys/memfd.ts'
import { readBootId, readProcess } from '../../src/sys/proc.ts'
import {
  decodeWaitStatus,
  openPidfd,
  readReapedStatus,
  sendPidfdSignal,
  waitForChild,
  waitPidfd,
} from '../../src/sys/process.ts'
import { spawnExecutable } from '../../src/sys/spawn.ts'

const SIGTERM = 15
/** Beyond kernel.pid_max of any machine. */
const NO_PID = 0x7fff_fffe
const shell = openSync('/bin/sh', 'r')
const nothing = openSync('/dev/null', 'r+')
const pidfds: number[] = []

afterEach(() => {
  pidfds.splice(0).forEach(closeFd)
})

function startShell(script: string): number {
  const stdio = [0, 1, 2].map((to) => ({ from: nothing, to }))
  return spawnExecutable(shell, ['sh', '-c', script], stdio)
}

function open(pid: number): number {
  const pidfd = openPidfd(pid)
  if (pidfd === undefined) throw new Error(`no process ${pid}`)
  pidfds.push(pidfd)
  return pidfd
}

describe('a child', () => {
  test('is reaped with its exit status', () => {
    expect(waitForChild(startShell('exit 7'))).toEqual({ code: 7 })
  })

  test('is reaped with the signal that a pidfd sent', () => {
    const pid = startShell('exec sleep 60')
    const pidfd = open(pid)
    expect(waitPidfd(pidfd, 20)).toBe(false)
    expect(sendPidfdSignal(pidfd, SIGTERM)).toBe(true)
    expect(waitPidfd(pidfd, 10_000)).toBe(true)
    expect(readProcess(pid)?.state).toBe('Z')
    expect(waitForChild(pid)).toEqual({ signal: SIGTERM })
    expect(sendPidfdSignal(pidfd, SIGTERM)).toBe(false)
    expect(readProcess(pid)).toBeUndefined()
  })

  test('of somebody else is an error', () => {
    expect(() => waitForChild(1)).toThrow('waitpid(1): ECHILD')
  })
})

test('a process that is not there has no pidfd', () => {
  expect(openPidfd(NO_PID)).toBeUndefined()
  expect(readProcess(NO_PID)).toBeUndefined()
})

test('state and start time are read past any name', async () => {
  const child = spawn('sh', ['-c', 'printf "a) Z 1 (b" > /proc/self/comm; echo; read x'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const found = readProcess(child.pid ?? 0)
  child.stdin.end()
  await once(child, 'exit')
  expect(found?.state).toMatch(/^[SR]$/)
  expect(Number(found?.startTime)).toBeGreaterThanOrEqual(
    Number(readProcess(process.pid)?.startTime),
  )
})

test('the boot id is one', () => {
  expect(readBootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
})

test('a wait of no time looks once', () => {
  const fd = createMemfd('tsrunc-test')
  expect(waitPidfd(fd, 0)).toBe(true)
  closeFd(fd)
})

describe('how a process of others ended', () => {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const isKnown = major > 6 || (major === 6 && minor >= 15)
  const why = isKnown ? '' : ' (skipped: needs Linux 6.15)'

  test.skipIf(!isKnown).each([
    ['exit 7', { code: 7 }],
    ['kill -9 $$', { signal: 9 }],
  ])(`stays known by its pidfd once it is reaped: %s${why}`, async (command, expected) => {
    const child = spawn('/bin/sh', ['-c', `read line; ${command}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const pidfd = open(child.pid ?? 0)
    expect(readReapedStatus(pidfd)).toBeUndefined()
    child.stdin.end('\n')
    await once(child, 'exit')
    expect(decodeWaitStatus(readReapedStatus(pidfd) ?? -1)).toEqual(expected)
  })

  test('says nothing of what is no pidfd', () => {
    expect(readReapedStatus(nothing)).toBeUndefined()
  })
})
