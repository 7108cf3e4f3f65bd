/** What the supervisor does while the container runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { encodeSupervise } from '../../src/engine/supervisor-protocol.ts'
import { eventually, nameChildren, openRig, type Rig } from './rig.ts'

const SIGRTMIN = 34
const { SIGKILL, SIGSTOP, SIGCHLD, SIGTERM, SIGUSR1 } = constants.signals

interface Started extends AsyncDisposable {
  readonly front: ChildProcess
  readonly pid: number
  /** Of the container's init. */
  readonly init: number
  readonly ended: Promise<unknown[]>
}

/** Starts a container; `before` is what Node does first, `init` what makes the container's init. */
async function start(
  rig: Rig,
  before: readonly string[],
  init: readonly string[],
): Promise<Started> {
  const keep = rig.path('keep')
  writeFileSync(keep, encodeSupervise({ pid: 1, pidfd: 0, fallback: [] }).bytes)
  const args = ['run', ...before, ...init, 'hand-over', keep]
  const front = spawn(rig.front, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] })
  const ended = once(front, 'exit')
  const pid = front.pid ?? 0
  const stop = async () => {
    if (front.exitCode !== null || front.signalCode !== null) return
    // Each init that is used here ends by it.
    front.kill('SIGTERM')
    await ended
  }
  try {
    const text = await eventually(() => existsSync(rig.path('init')) && wholeLine(rig, 'init'))
    await eventually(() => !/node/.test(nameChildren(pid).join()))
    return { front, pid, init: Number(text), ended, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function read(rig: Rig, name: string): string {
  return readFileSync(rig.path(name), 'utf8')
}

/** Undefined as long as it is being written: no pid is half of one. */
function wholeLine(rig: Rig, name: string): string | undefined {
  const text = read(rig, name)
  return text.endsWith('\n') ? text : undefined
}

function notedSignals(rig: Rig): number[] {
  return read(rig, 'noted').trimEnd().split('\n').map(Number).slice(1)
}

function isAlive(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  )
}

test('every signal that can be caught reaches init, real-time ones too', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['noting-init', rig.path('noted')])
  const skipped = [SIGKILL, SIGSTOP, SIGCHLD, SIGTERM]
  const sent = Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => !skipped.includes(n))
  for (const signal of sent) {
    process.kill(run.pid, signal)
    await eventually(() => notedSignals(rig).includes(signal))
  }
  expect(notedSignals(rig)).toEqual(sent)
  process.kill(run.pid, 'SIGTERM')
  expect(await run.ended).toEqual([42, null])
})

test('signals that came before init existed reach it', async () => {
  using rig = openRig()
  const before = ['signal', `${SIGUSR1}`, 'signal', `${SIGRTMIN + 3}`, 'sleep', '50']
  await using run = await start(rig, before, ['noting-init', rig.path('noted')])
  await eventually(() => notedSignals(rig).length === 2)
  expect(notedSignals(rig)).toEqual([SIGUSR1, SIGRTMIN + 3])
  process.kill(run.pid, 'SIGTERM')
  expect(await run.ended).toEqual([42, null])
})

test('a hundred real-time signals at once all arrive', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['noting-init', rig.path('noted')])
  for (let i = 0; i < 100; i++) process.kill(run.pid, SIGRTMIN + 5)
  await eventually(() => notedSignals(rig).length === 100)
  process.kill(run.pid, 'SIGTERM')
  expect(await run.ended).toEqual([42, null])
})

test('while the container runs no Node is left and the supervisor is small', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['init', 'exec sleep 60'])
  await eventually(() => nameChildren(run.pid).join() === 'sleep')
  const rollup = readFileSync(`/proc/${run.pid}/smaps_rollup`, 'utf8')
  const resident = Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1])
  expect(resident).toBeLessThan(256)
  run.front.kill('SIGTERM')
  expect(await run.ended).toEqual([143, null])
})

test('orphans are reaped while init runs', async () => {
  using rig = openRig()
  const script = '(sleep 0.05 & sleep 0.1 & sleep 0.15 &); exec sleep 60'
  await using run = await start(rig, [], ['init', script])
  await eventually(() => nameChildren(run.pid).join() === 'sleep')
})

test('an init that is stopped has not ended', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['init', 'exec sleep 60'])
  process.kill(run.init, 'SIGSTOP')
  await eventually(() => /^State:\tT/m.test(readFileSync(`/proc/${run.init}/status`, 'utf8')))
  await setTimeout(50)
  expect(run.front.exitCode).toBeNull()
  process.kill(run.init, 'SIGCONT')
  run.front.kill('SIGTERM')
  expect(await run.ended).toEqual([143, null])
})

test('SIGTSTP does not stop the supervisor', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['noting-init', rig.path('noted')])
  run.front.kill('SIGTSTP')
  await eventually(() => notedSignals(rig).length === 1)
  expect(readFileSync(`/proc/${run.pid}/status`, 'utf8')).toMatch(/^State:\tS/m)
})

test('a pipe that the caller passed on ends when the container has closed it', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['init', 'exec sleep 60'])
  const pipes = run.front.stdio.slice(3) as Readable[]
  await eventually(() => pipes.every((pipe) => pipe.readableEnded))
  expect(run.front.exitCode).toBeNull()
})

test('a container outlives its supervisor when that is killed', async () => {
  using rig = openRig()
  await using run = await start(rig, [], ['init', 'exec sleep 60'])
  run.front.kill('SIGKILL')
  expect(await run.ended).toEqual([null, 'SIGKILL'])
  await setTimeout(50)
  expect(isAlive(run.init)).toBe(true)
  process.kill(run.init, 'SIGKILL')
})

test('Node dies with its supervisor, and is in no foreground group', async () => {
  using rig = openRig()
  const front = spawn(rig.front, ['run', 'sleep', '60000'], { stdio: 'ignore' })
  await eventually(() => existsSync(rig.path('seen')) && rig.seen().includes('group own'))
  const children = `/proc/${front.pid}/task/${front.pid}/children`
  const node = Number(readFileSync(children, 'utf8'))
  expect(isAlive(node)).toBe(true)
  front.kill('SIGKILL')
  await eventually(() => !isAlive(node))
})

test('Node that closed its socket is waited for without work', async () => {
  using rig = openRig()
  const args = ['run', 'hang-up', 'sleep', '300', 'exit', '3']
  const front = spawn(rig.front, args, { stdio: 'ignore' })
  const ended = once(front, 'exit')
  await setTimeout(250)
  const fields = readFileSync(`/proc/${front.pid}/stat`, 'utf8').split(' ')
  expect(Number(fields[13]) + Number(fields[14])).toBeLessThan(5)
  expect(await ended).toEqual([3, null])
})
