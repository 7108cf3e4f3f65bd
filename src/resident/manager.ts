/**
 * Keeps workers of the resident planner. They hang on it by a pipe: when it ends, however that comes
 * about, each finishes the command that it is at and leaves.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { unlinkSync } from 'node:fs'
import { installedPath } from '../engine/installation.ts'
import { isErrno, UsageError } from '../errors.ts'
import { closeFd } from '../sys/fd.ts'
import { connectUnix, listenUnix } from '../sys/socket.ts'

/** As many may wait for a worker to be free; the next does without. */
const BACKLOG = 1
/** A worker that ends sooner than that is not replaced at once. */
const SHORT_LIFE_MS = 1000
const SOCKET_UMASK = 0o177
const CONNECT_TIMEOUT_S = 1

/** Serves, at the path where fronts of this build look, until SIGTERM, SIGINT or SIGHUP. */
export async function keepWorkers(path: string, count: number): Promise<void> {
  if (process.geteuid?.() !== 0) throw new UsageError('serve: only root can, for fronts of root')
  const listening = openSocket(path)
  const workers = new Set<ChildProcess>()
  let isStopping = false
  const keep = () => {
    if (isStopping) return
    const began = performance.now()
    const worker = startWorker(listening)
    workers.add(worker)
    const replace = () => {
      workers.delete(worker)
      setTimeout(keep, performance.now() - began < SHORT_LIFE_MS ? SHORT_LIFE_MS : 0)
    }
    worker.once('exit', replace)
    // Its file is being replaced, or there are too many processes: not for ever.
    worker.once('error', replace)
  }
  for (let i = 0; i < count; i++) keep()
  await new Promise((end) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, end)
  })
  isStopping = true
  unlinkSync(path)
  for (const worker of workers) worker.stdin?.end()
  await Promise.all([...workers].map((worker) => new Promise((end) => worker.once('exit', end))))
}

function startWorker(listening: number): ChildProcess {
  const stdio = ['pipe', 'ignore', 'inherit', listening] as const
  return spawn(installedPath('tsrunc'), ['serve', '--worker'], {
    stdio: [...stdio],
    env: {},
    cwd: '/',
  })
}

/** Only root may connect. What a manager that was killed left behind is in nobody's way. */
function openSocket(path: string): number {
  const umask = process.umask(SOCKET_UMASK)
  try {
    return listenUnix(path, BACKLOG)
  } catch (error) {
    if (!isErrno(error, 'EADDRINUSE')) throw error
    if (isServed(path)) throw new UsageError(`serve: somebody else serves at ${path}`)
    unlinkSync(path)
    return listenUnix(path, BACKLOG)
  } finally {
    process.umask(umask)
  }
}

function isServed(path: string): boolean {
  try {
    closeFd(connectUnix(path, 'seqpacket', CONNECT_TIMEOUT_S))
    return true
  } catch (error) {
    // All of its workers are busy.
    return isErrno(error, 'EAGAIN')
  }
}
