/**
 * argv → exit code: the only place that prints or exits. Prints by writeSync, for Node's own
 * streams would make pipes non-blocking for everyone who shares them, the container included.
 */
import { writeSync } from 'node:fs'
import { describeFailure } from './cli/failure.ts'
import { createLog, type Log, openSink, salvageLogFlags } from './cli/log.ts'
import { type Invocation, parseInvocation } from './cli/program.ts'
import { UsageError } from './errors.ts'
import { type Request, readRequest } from './host/request.ts'

/**
 * Carries out one command; its exit status. Undefined, and nothing was done, if it lasts and a
 * worker of the resident planner was asked.
 */
async function answer(readOwn: () => Request, isWorker: boolean): Promise<number | undefined> {
  let log: Log = createLog({ logFormat: 'text', logLevel: 'warning' })
  let subject = ''
  let failureStatus = 1
  try {
    const request = readOwn()
    const { log: target, ...flags } = salvageLogFlags(request.argv)
    log = createLog(flags)
    const parsing = parseInvocation(request)
    // Before the log is opened: who reads it from a pipe would see it end with us.
    if (isWorker && (await isLasting(parsing))) return undefined
    if (target !== undefined) log = createLog(flags, await openSink(target, flags.logFormat))
    const invocation = await parsing
    subject = invocation.subject
    failureStatus = invocation.failureStatus
    const { globals } = invocation
    const flushLog = () => print(2, log.finish())
    const outcome = await invocation.run({
      request,
      globals,
      log,
      flushLog,
      print: (text) => print(1, text),
      architecture: findArchitecture(),
      answer: (other) => answer(() => other, true),
    })
    flushLog()
    print(1, outcome.output ?? '')
    if (outcome.failure !== undefined) print(2, log.fatal(`${subject}: ${outcome.failure}`))
    return outcome.exitCode ?? 0
  } catch (error) {
    if (error instanceof Error) log.debug(String(error.stack))
    print(2, log.fatal(describeFailure(error, subject)))
    return failureStatus
  }
}

/** What is wrong with a command line is told as of any other. */
function isLasting(parsing: Promise<Invocation>): Promise<boolean> {
  return parsing.then(
    ({ lasts }) => lasts,
    () => false,
  )
}

function findRequest(): number {
  const word = process.argv[2] ?? ''
  if (!/^[0-9]+$/.test(word)) throw new UsageError('start bin/tsrunc: the bundle is not a program')
  return Number(word)
}

function findArchitecture(): 'x64' | 'arm64' {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch
  throw new UsageError(`machines of the kind ${process.arch} are not supported`)
}

/** False when nobody reads any more. */
function print(fd: number, text: string): boolean {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    const count = write(fd, bytes.subarray(at))
    if (count < 0) return false
    at += count
  }
  return true
}

/**
 * A pipe that someone else made non-blocking is full: wait for its reader. -1: it is gone. What is
 * lost otherwise, on a full disk, is an error: stderr is where that would be told.
 */
function write(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code === 'EPIPE' || (fd === 2 && code !== 'EAGAIN')) return -1
    if (code !== 'EAGAIN') throw error
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    return 0
  }
}

// Not process.exitCode: nothing that a command left open may keep the process.
void answer(() => readRequest(findRequest()), false).then((code) => process.exit(code))
