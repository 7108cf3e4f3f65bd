/**
 * A worker of the resident planner: carries out one command after the other for fronts that ask,
 * each in the standing of its caller (stdio, working directory, umask) and with nothing left of the
 * one before. It waits in one system call, and uses no CPU until somebody comes.
 */
import { constants, existsSync, openSync, readdirSync } from 'node:fs'
import { openExecutor } from '../engine/execution.ts'
import { actFor, type Parent } from '../engine/parent.ts'
import { SyscallError } from '../errors.ts'
import { type Request, readRequest } from '../host/request.ts'
import { errnoName } from '../sys/errno.ts'
import { closeFd, duplicateFd } from '../sys/fd.ts'
import { callKernel } from '../sys/ffi.ts'
import { decodeWaitStatus, waitReadable } from '../sys/process.ts'
import { acceptConnection, type Packet } from '../sys/socket.ts'
import type { DescriptorMapping } from '../sys/spawn.ts'
import { openCaller, readStanding } from './caller.ts'
import { hear, hearValue, type Kind, readValue, tell } from './protocol.ts'

/** Carries out a command; its exit status, or undefined if it is none for a worker. */
export type Answer = (request: Request) => Promise<number | undefined>

export interface Worker {
  /** The socket that all workers accept from. */
  readonly listening: number
  /** Readable once the manager is gone: then the worker leaves, too. */
  readonly lifeline: number
  readonly answer: Answer
}

const F_SETFL = 4
const F_SETOWN = 8
const O_ASYNC = 0o20000
const O_CLOEXEC = 0o2000000
/** A front that has connected has its request ready. */
const REQUEST_TIMEOUT_MS = 1000
/** Of one look; nobody has to come. */
const LOOK_MS = 3_600_000
/** stdin, stdout, stderr, the request, the working directory, the pipe; a socket to the supervisor. */
const GIVEN_COUNTS = [6, 7]

/** Serves until the manager is gone. */
export async function serveCallers({ listening, answer, ...worker }: Worker): Promise<void> {
  const lifeline = duplicateFd(worker.lifeline)
  const idle = [openSync('/dev/null', 'r+'), openSync('/dev/null', 'r+'), duplicateFd(2)] as const
  const { standing } = readStanding('/proc/self')
  // Kept for all commands.
  openExecutor()
  const own = listDescriptors()
  for (;;) {
    const connection = awaitCaller(listening, lifeline)
    if (connection === undefined) return
    // What it throws is of a front that is gone, or none of ours: there is nobody to tell.
    const last = await serveCaller(connection, standing, answer).catch(() => undefined)
    // Before the last word: its caller may wait for the end of a pipe that we still hold, and the
    // end of the front would be ours, too.
    takeStdio(idle)
    process.chdir('/')
    closeOthers(own, connection)
    if (last !== undefined) tellLast(connection, last)
    closeFd(connection)
  }
}

interface LastWord {
  readonly kind: Kind
  readonly value?: number
}

function tellLast(connection: number, { kind, value }: LastWord): void {
  try {
    tell(connection, kind, value)
  } catch {
    // The front has gone meanwhile.
  }
}

function awaitCaller(listening: number, lifeline: number): number | undefined {
  for (;;) {
    const ready = waitReadable([lifeline, listening], LOOK_MS)
    if (ready.includes(lifeline)) return undefined
    const connection = ready.length > 0 ? acceptConnection(listening) : undefined
    if (connection !== undefined) return connection
  }
}

/** The last word to the front; undefined where none that it understands has come. */
async function serveCaller(
  connection: number,
  standing: string,
  answer: Answer,
): Promise<LastWord | undefined> {
  tell(connection, 'ready')
  if (waitReadable([connection], REQUEST_TIMEOUT_MS).length === 0) return undefined
  const packet = hear(connection, 'request')
  if (packet === undefined || !GIVEN_COUNTS.includes(packet.fds.length)) return undefined
  const request = takePlace(connection, standing, packet)
  const status =
    request && (await actFor(frontAsParent(request, connection), () => answer(request)))
  return status === undefined ? { kind: 'refuse' } : { kind: 'exit', value: status }
}

/**
 * Becomes what Node would be in the caller's place; undefined where that cannot be. What is wrong,
 * Node tells better there.
 */
function takePlace(
  connection: number,
  standing: string,
  { bytes, fds }: Packet,
): Request | undefined {
  const [stdin = -1, stdout = -1, stderr = -1, file = -1, directory = -1, life = -1] = fds
  const supervisor = fds[6]
  try {
    const caller = openCaller(connection, readValue(bytes), life)
    const theirs = readStanding(caller)
    if (theirs.standing !== standing || !dieWith(life)) return undefined
    const { supervisor: _numberOfTheFront, ...request } = readRequest(file)
    if (needsOwnProcess(request)) return undefined
    takeStdio([stdin, stdout, stderr])
    process.chdir(`/proc/self/fd/${directory}`)
    process.umask(theirs.umask)
    return { ...request, caller, ...(supervisor !== undefined && { supervisor }) }
  } catch {
    return undefined
  }
}

/**
 * The kernel sends SIGIO, which ends this process, once the front is gone: killed in the middle of a
 * command, it leaves the same behind as Node that is killed in its place. Whether it is still there.
 * Not by the end that it sent: as long as the front has that, too, it sends SIGIO after we closed it.
 */
function dieWith(life: number): boolean {
  const end = openSync(`/proc/self/fd/${life}`, constants.O_RDONLY | constants.O_NONBLOCK)
  callKernel('fcntl', [end, F_SETOWN, process.pid], `fcntl(${end}, F_SETOWN)`)
  callKernel('fcntl', [end, F_SETFL, O_ASYNC], `fcntl(${end}, F_SETFL, O_ASYNC)`)
  return waitReadable([end], 0).length === 0
}

/**
 * What only a process in the caller's place can do: pass on fds by their numbers, or open them or
 * its terminal by name; and be the one that READY= comes from.
 */
function needsOwnProcess({ argv, env }: Request): boolean {
  const isNamed = (word: string) => /\/dev\/(fd\/|tty$)|\/proc\/(self|thread-self)\//.test(word)
  const isPassing = (word: string) => /^--?preserve-fds(=|$)/.test(word)
  return (
    env.has('LISTEN_FDS') ||
    env.has('NOTIFY_SOCKET') ||
    argv.some((word) => isNamed(word) || isPassing(word))
  )
}

function frontAsParent({ pid }: Request, connection: number): Parent {
  return {
    pid,
    spawn(executable, mappings) {
      tell(connection, 'spawn', 0, [...orderByTarget(mappings), executable])
      const pid = hearValue(connection, 'spawned')
      if (pid > 0) return pid
      throw new SyscallError('clone', 'clone of the front', errnoName(-pid))
    },
    wait(pid) {
      tell(connection, 'wait', pid)
      return decodeWaitStatus(hearValue(connection, 'ended'))
    },
  }
}

/** The fds that become 0, 1, 2 …, without a gap. */
function orderByTarget(mappings: readonly DescriptorMapping[]): readonly number[] {
  const ordered = mappings.toSorted((a, b) => a.to - b.to)
  if (ordered.some(({ to }, index) => to !== index))
    throw new Error('fds with a gap: a bug in tsrunc')
  return ordered.map(({ from }) => from)
}

function takeStdio(fds: readonly [number, number, number]): void {
  for (const [index, fd] of fds.entries()) {
    callKernel('dup3', [fd, index, O_CLOEXEC], `dup3(${fd}, ${index})`)
  }
}

/** Whatever a command left open would be in the next one's way, or in its container. */
function closeOthers(own: ReadonlySet<number>, connection: number): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (own.has(fd) || fd === connection) continue
    // Not close(2): the one that the list was read by is among them, and closed already.
    callKernel('close_range', [fd, fd, 0], `close_range(${fd}, ${fd})`)
  }
}

function listDescriptors(): ReadonlySet<number> {
  const listed = readdirSync('/proc/self/fd')
  return new Set(listed.filter((fd) => existsSync(`/proc/self/fd/${fd}`)).map(Number))
}
