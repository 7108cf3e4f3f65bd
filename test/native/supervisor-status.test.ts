/** How the supervisor ends: with what, and after which cleaning up. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeCreated, encodeSupervise } from '../../src/engine/supervisor-protocol.ts'
import { endOffset, readExitStatus } from '../../src/state/status.ts'
import { descriptorsIn, openRig, type Rig } from './rig.ts'

const FALLBACK = ['--root', '/run/some where', 'delete', '--force', 'web1']

/** Files with the messages that the stand-in sends; it fills in pid and fds. */
function writeMessages(rig: Rig): { created: string; supervise: string; keep: string } {
  const files = {
    created: rig.path('created'),
    supervise: rig.path('supervise'),
    keep: rig.path('keep'),
  }
  const teardown = { executor: 0, program: 0, status: 0 }
  writeFileSync(files.created, encodeCreated(FALLBACK).bytes)
  const handover = { pid: 1, pidfd: 0, fallback: FALLBACK }
  writeFileSync(files.supervise, encodeSupervise({ ...handover, teardown }).bytes)
  writeFileSync(files.keep, encodeSupervise(handover).bytes)
  return files
}

function fallbackRan(rig: Rig): boolean {
  return existsSync(rig.path('request.again'))
}

test.each([0, 1, 7, 255])('Node that exits with %i decides the status', (code) => {
  using rig = openRig()
  const { status, stderr } = rig.run(['run', 'exit', `${code}`])
  expect({ status, stderr }).toEqual({ status: code, stderr: '' })
  expect(fallbackRan(rig)).toBe(false)
})

test('Node that is killed before it made anything is 128+n and nothing is cleaned up', () => {
  using rig = openRig()
  expect(rig.run(['run', 'die', '9']).status).toBe(137)
  expect(fallbackRan(rig)).toBe(false)
})

test('Node that is killed after it announced a container is cleaned up after', () => {
  using rig = openRig()
  const { created } = writeMessages(rig)
  const args = ['run', 'send', created, 'die', '6']
  const { status, pid } = rig.run(args, { env: { XDG_RUNTIME_DIR: '/x' } })
  expect(status).toBe(134)
  const { argv, env, supervisor, ...request } = rig.request('request.again')
  expect(argv).toEqual([rig.front, ...FALLBACK])
  expect([...env]).toEqual([['XDG_RUNTIME_DIR', '/x']])
  expect(supervisor).toBeUndefined()
  expect(request).toMatchObject({ pid, limits: rig.request().limits })
  expect(rig.seen('seen.again')).toContain('blocked 0')
})

test('Node that hangs goes when somebody wants an end, and is cleaned up after', async () => {
  using rig = openRig()
  const { created } = writeMessages(rig)
  const words = ['run', 'send', created, 'sleep', '60000']
  const front = spawn(rig.front, words, { stdio: 'ignore' })
  const ended = once(front, 'exit')
  while (!existsSync(rig.path('request'))) await new Promise((done) => setTimeout(done, 20))
  front.kill('SIGINT')
  expect(await ended).toEqual([137, null])
  expect(rig.request('request.again').argv).toEqual([rig.front, ...FALLBACK])
}, 20_000)

test('Node that fails after it announced a container has cleaned up itself', () => {
  using rig = openRig()
  const { created } = writeMessages(rig)
  expect(rig.run(['run', 'send', created, 'exit', '1']).status).toBe(1)
  expect(fallbackRan(rig)).toBe(false)
})

test('a caller that ignores SIGCHLD gets the status all the same', () => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const args = ['run', 'init', 'sleep 0.1; exit 8', 'hand-over', keep]
  const { status } = spawnSync(rig.path('node'), ['--ignoring-children', rig.front, ...args])
  expect(status).toBe(8)
})

test.each([
  ['exit 0', 0],
  ['exit 3', 3],
  ['exit 255', 255],
  ['kill -TERM $$', 143],
  ['kill -KILL $$', 137],
])('init that ends by %s gives status %i', (command, expected) => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const { status, stderr } = rig.run(['run', 'init', command, 'hand-over', keep])
  expect({ status, stderr }).toEqual({ status: expected, stderr: '' })
})

test('init that ended before it was handed over gives its status', () => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const args = ['run', 'init', 'exit 5', 'sleep', '100', 'hand-over', keep]
  expect(rig.run(args).status).toBe(5)
})

test('an init that a debugger traces is waited for until the debugger is done', () => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const args = ['run', 'init', 'exec sleep 0.5', 'trace', 'hand-over', keep]
  const { status, stderr } = rig.run(args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('what Node does after it handed over does not matter', () => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const args = ['run', 'init', 'sleep 0.1; exit 5', 'hand-over', keep, 'die', '9']
  expect(rig.run(args).status).toBe(5)
  expect(fallbackRan(rig)).toBe(false)
})

test.each([
  ['exit 0', 0],
  ['exit 255', 255],
  ['kill -KILL $$', 137],
])('how init ended (%s) is written into the status page', (command, expected) => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const created = rig.path('created')
  writeFileSync(created, encodeCreated(FALLBACK, { page: 0, offset: endOffset(1) }).bytes)
  const args = ['run', 'send-page', created, 'init', command, 'hand-over', keep]
  expect(rig.run(args).status).toBe(expected)
  const page = readFileSync(rig.path('page'))
  expect(readExitStatus(page, 1)).toBe(expected)
  expect(page.findIndex((byte) => byte !== 0)).toBeGreaterThanOrEqual(endOffset(1))
})

test('the status page of a container whose start failed is left alone', () => {
  using rig = openRig()
  const { created } = writeMessages(rig)
  expect(rig.run(['run', 'send-page', created, 'exit', '1']).status).toBe(1)
  expect(readFileSync(rig.path('page'))).toHaveLength(0)
})

test('without a teardown program nothing is cleaned up', () => {
  using rig = openRig()
  const { created, keep } = writeMessages(rig)
  const args = ['run', 'send', created, 'init', 'exit 4', 'hand-over', keep]
  expect(rig.run(args).status).toBe(4)
  expect(fallbackRan(rig)).toBe(false)
})

test('the teardown program runs on the executor, with its fds and nothing else', () => {
  using rig = openRig()
  const { supervise } = writeMessages(rig)
  const teardown = ['hand-over-teardown', supervise, '0', rig.path('torn-down')]
  const script = `ulimit -S -n 100; trap '' USR1; exec "$0" "$@" 8</dev/null`
  const words = ['run', 'init', 'exit 4', ...teardown].map((word) => `'${word}'`).join(' ')
  expect(rig.shell(`set -- ${words}; ${script}`).status).toBe(4)
  const seen = readFileSync(rig.path('torn-down'), 'utf8').trimEnd().split('\n')
  expect(descriptorsIn(seen)).toEqual([0, 1, 2, 3, 4, 5])
  expect(seen).toContain('descriptor 4 /dev/null')
  expect(seen.filter((line) => !line.startsWith('descriptor'))).toEqual([
    'argument tsrunc-teardown',
    'nofile 100',
    'blocked 0',
    'group own',
  ])
  expect(readFileSync(rig.path('status'), 'utf8')).toBe('done')
  expect(fallbackRan(rig)).toBe(false)
})

test('a teardown program that fails makes Node clean up; the status stays that of init', () => {
  using rig = openRig()
  const { supervise } = writeMessages(rig)
  const teardown = ['hand-over-teardown', supervise, '1', rig.path('torn-down')]
  expect(rig.run(['run', 'init', 'exit 4', ...teardown]).status).toBe(4)
  expect(existsSync(rig.path('torn-down'))).toBe(true)
  expect(rig.request('request.again').argv).toEqual([rig.front, ...FALLBACK])
})

test.each([
  ['empty', Buffer.alloc(1)],
  ['of an unknown kind', Buffer.from([9, ...Array<number>(15).fill(0)])],
  ['with a string too few', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 1, ...Array<number>(7).fill(0)])],
  ['with an unended string', Buffer.from([2, ...Array<number>(15).fill(0), 65])],
  ['with too many strings', encodeSpaces(33)],
  ['that is too long', Buffer.concat([encodeSpaces(1).subarray(0, 16), Buffer.alloc(17_000, 1)])],
])('a message %s is one line of error', (_, bytes) => {
  using rig = openRig()
  writeFileSync(rig.path('message'), bytes)
  const { status, stderr } = rig.run(['run', 'send', rig.path('message'), 'exit', '0'])
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'tsrunc: malformed message from Node\n' })
})

test.each(['send', 'hand-over-two'])('a handover with wrong fds (%s) is refused', (how) => {
  using rig = openRig()
  const { keep } = writeMessages(rig)
  const { status, stderr } = rig.run(['run', 'init', 'exit 4', how, keep])
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'tsrunc: malformed message from Node\n' })
})

test('a fallback that no message can hold is refused before it is sent', () => {
  expect(() => encodeCreated(['x'.repeat(16_384)])).toThrow('too long')
  expect(() => encodeCreated(Array<string>(33).fill('x'))).toThrow('too long')
})

function encodeSpaces(count: number): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(2, 0)
  header.writeUInt32LE(count, 8)
  return Buffer.concat([header, Buffer.from(' \0'.repeat(count))])
}
