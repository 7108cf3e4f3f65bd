/**
 * What the front (native-shims/front.c) saw before Node started: Node raises RLIMIT_NOFILE, marks
 * inherited fds close-on-exec and is started with an empty environment. The front writes it into a
 * memfd, whose number is Node's only argument. The file, little-endian:
 *
 *     u32 magic "TSRQ", u32 version
 *     u32 arguments, u32 variables, u32 descriptors   how many of each follow
 *     i32 supervisor                                  socket to the supervisor, or -1
 *     i32 pid                                         of the front: what LISTEN_PID names
 *     u32 0
 *     16 × {u64 soft, u64 hard}                       limits in the order of RLIMIT_*
 *     descriptors × u32                               open fds from 3 on, ascending
 *     arguments × bytes 0, variables × bytes 0        argv with argv[0], then the environment
 *     bytes 0                                         where the front looks for a resident planner
 *
 * Strings are UTF-8, as all that they are compared with or written to is (config.json, state.json).
 * An argument that is not UTF-8 is refused: with replacement characters it would name another file.
 * A variable that is not is left out: nothing of ours has such a value.
 */
import { isUtf8 } from 'node:buffer'
import { closeSync, fstatSync, readSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import type { ResourceLimit } from './facts.ts'

export interface Request {
  /** argv[0] included. */
  readonly argv: readonly string[]
  readonly env: ReadonlyMap<string, string>
  /** `RLIMIT_CPU` …: the caller's. */
  readonly limits: Readonly<Record<string, ResourceLimit>>
  /** Fds from 3 on that the caller left open, ascending. */
  readonly descriptors: readonly number[]
  /** What the caller knows as our pid; differs from Node's under the supervisor. */
  readonly pid: number
  /** The socket to the supervisor (engine/supervisor-protocol.ts); absent: there is none. */
  readonly supervisor?: number
  /** The directory in /proc of whom a worker of the resident planner acts for; absent: Node's own. */
  readonly caller?: string
  /** Where fronts of this build look for a resident planner (resident/manager.ts). */
  readonly residentSocket: string
}

const MAGIC = 0x5152_5354
const VERSION = 2
const HEADER = { arguments: 8, variables: 12, descriptors: 16, supervisor: 20, pid: 24 } as const
const LIMITS_OFFSET = 32
const LIMIT_SIZE = 16
const LIMIT_NAMES = [
  'RLIMIT_CPU',
  'RLIMIT_FSIZE',
  'RLIMIT_DATA',
  'RLIMIT_STACK',
  'RLIMIT_CORE',
  'RLIMIT_RSS',
  'RLIMIT_NPROC',
  'RLIMIT_NOFILE',
  'RLIMIT_MEMLOCK',
  'RLIMIT_AS',
  'RLIMIT_LOCKS',
  'RLIMIT_SIGPENDING',
  'RLIMIT_MSGQUEUE',
  'RLIMIT_NICE',
  'RLIMIT_RTPRIO',
  'RLIMIT_RTTIME',
] as const
const DESCRIPTORS_OFFSET = LIMITS_OFFSET + LIMIT_NAMES.length * LIMIT_SIZE

/** Reads and closes the request. */
export function readRequest(fd: number): Request {
  const file = Buffer.allocUnsafe(fstatSync(fd).size)
  readSync(fd, file, 0, file.length, 0)
  closeSync(fd)
  return decodeRequest(file)
}

export function decodeRequest(file: Buffer): Request {
  if (file.length < DESCRIPTORS_OFFSET || file.readUInt32LE(0) !== MAGIC)
    throw new UsageError('the request is not of the front: start tsrunc, not its bundle')
  if (file.readUInt32LE(4) !== VERSION)
    throw new UsageError('tsrunc and tsrunc.cjs are of different versions')
  const descriptors = readDescriptors(file)
  const supervisor = file.readInt32LE(HEADER.supervisor)
  const strings = splitStrings(file, DESCRIPTORS_OFFSET + descriptors.length * 4)
  const argumentCount = file.readUInt32LE(HEADER.arguments)
  return {
    argv: strings.slice(0, argumentCount).map(decodeArgument),
    env: decodeEnvironment(strings.slice(argumentCount, -1)),
    limits: readLimits(file),
    descriptors,
    pid: file.readInt32LE(HEADER.pid),
    ...(supervisor >= 0 && { supervisor }),
    residentSocket: strings.at(-1)?.toString() ?? '',
  }
}

function readDescriptors(file: Buffer): number[] {
  const count = file.readUInt32LE(HEADER.descriptors)
  return Array.from({ length: count }, (_, i) => file.readUInt32LE(DESCRIPTORS_OFFSET + i * 4))
}

function readLimits(file: Buffer): Record<string, ResourceLimit> {
  return Object.fromEntries(
    LIMIT_NAMES.map((name, i) => {
      const at = LIMITS_OFFSET + i * LIMIT_SIZE
      return [name, { soft: file.readBigUInt64LE(at), hard: file.readBigUInt64LE(at + 8) }]
    }),
  )
}

function splitStrings(file: Buffer, start: number): Buffer[] {
  const strings: Buffer[] = []
  for (let at = start; at < file.length; ) {
    const end = file.indexOf(0, at)
    if (end < 0) throw new UsageError('the request is cut short')
    strings.push(file.subarray(at, end))
    at = end + 1
  }
  return strings
}

function decodeArgument(bytes: Buffer, index: number): string {
  if (!isUtf8(bytes)) throw new UsageError(`argument ${index} is not UTF-8: ${bytes.toString()}`)
  return bytes.toString()
}

function decodeEnvironment(variables: readonly Buffer[]): Map<string, string> {
  const environment = new Map<string, string>()
  for (const bytes of variables) {
    if (!isUtf8(bytes)) continue
    const variable = bytes.toString()
    const split = variable.indexOf('=')
    const name = variable.slice(0, split)
    // The first of two wins, as in getenv(3).
    if (split > 0 && !environment.has(name)) environment.set(name, variable.slice(split + 1))
  }
  return environment
}
