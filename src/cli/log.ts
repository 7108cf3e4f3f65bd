/**
 * The log as engines read it: with `--log FILE` one record a line, appended; JSON records are
 * `{level, msg, time}` with an RFC 3339 time, or containerd cannot decode the file.
 */
import { openSync, writeSync } from 'node:fs'
import { describeError, UsageError } from '../errors.ts'
import type { Globals } from './globals.ts'

/** By rising importance. */
export const LEVELS = { debug: 0, warning: 1, error: 2 } as const
export type Level = keyof typeof LEVELS

export function isLevel(word: string): word is Level {
  return Object.hasOwn(LEVELS, word)
}

export type LogFlags = Pick<Globals, 'log' | 'logFormat' | 'logLevel'>

/** Takes one record of the log. */
export type Sink = (level: Level, message: string) => void

export interface Log {
  readonly debug: (message: string) => void
  readonly warning: (message: string) => void
  /** Gives the lines that belong on stderr. */
  readonly fatal: (message: string) => string
  /** Writes what was held back; gives the lines that belong on stderr, each once. */
  readonly finish: () => string
}

/** Without a sink, records go to stderr. */
export function createLog({ logFormat, logLevel }: Omit<LogFlags, 'log'>, sink?: Sink): Log {
  const held: string[] = []
  let stderr = ''

  function write(level: Level, message: string): void {
    if (LEVELS[level] < LEVELS[logLevel]) return
    const isWritten = sink !== undefined && tryWrite(sink, level, message)
    if (!isWritten) stderr += formatRecord(logFormat, level, message, new Date())
  }

  return {
    debug(message) {
      write('debug', message)
    },
    // Podman decodes the log of a failure as one JSON object: warnings wait for the success.
    warning(message) {
      if (logLevel === 'debug') write('warning', message)
      else held.push(message)
    },
    fatal(message) {
      write('error', message)
      return stderr === '' ? `${message}\n` : stderr
    },
    finish() {
      for (const message of held.splice(0)) write('warning', message)
      const lines = stderr
      stderr = ''
      return lines
    },
  }
}

/** A full disk or a daemon that went away: then the record is for stderr. */
function tryWrite(sink: Sink, level: Level, message: string): boolean {
  try {
    sink(level, message)
    return true
  } catch {
    return false
  }
}

/** One line, whatever the message holds. */
export function formatRecord(
  format: Globals['logFormat'],
  level: Level,
  message: string,
  time: Date,
): string {
  const stamp = `${time.toISOString().slice(0, 19)}Z`
  return format === 'json'
    ? `${JSON.stringify({ level, msg: message, time: stamp })}\n`
    : `time="${stamp}" level=${level} msg=${JSON.stringify(message)}\n`
}

/** syslog(3): LOG_ERR, LOG_WARNING, LOG_DEBUG. */
const PRIORITY: Readonly<Record<Level, number>> = { error: 3, warning: 4, debug: 7 }

/** Opens what `--log` names: a file (also `file:PATH`), `journald:ID` or `syslog:ID`. */
export async function openSink(target: string, format: Globals['logFormat']): Promise<Sink> {
  try {
    const [, daemon, id = ''] = /^(journald|syslog):(.*)$/s.exec(target) ?? []
    if (daemon !== undefined) {
      const { openJournal, openSyslog } = await import('../sys/log-daemons.ts')
      const send = daemon === 'journald' ? openJournal(id) : openSyslog(id)
      return (level, message) => send(PRIORITY[level], message)
    }
    const fd = openSync(target.replace(/^file:/, ''), 'a', 0o644)
    return (level, message) => writeSync(fd, formatRecord(format, level, message, new Date()))
  } catch (error) {
    throw new UsageError(`cannot write to --log: ${describeError(error)}`)
  }
}

/** Global flags whose value may be the next word, as native-shims/front.c has them. */
const TAKES_NEXT_WORD = ['root', 'log', 'log-format', 'log-level', 'rootless', 'cgroup-manager']

/** The log flags of a command line that is wrong elsewhere: the error still goes to the log. */
export function salvageLogFlags(argv: readonly string[]): LogFlags {
  const flags = findGlobalFlags(argv.slice(1))
  const log = flags.get('log')
  const level = flags.get('log-level')
  return {
    ...(log !== undefined && log !== '' && { log }),
    logFormat: flags.get('log-format') === 'json' ? 'json' : 'text',
    logLevel: flags.has('debug')
      ? 'debug'
      : level !== undefined && isLevel(level)
        ? level
        : 'warning',
  }
}

/**
 * Those before the command. What comes after it may be a container's own (`exec ID app --log F`):
 * to take it for ours would let a container's arguments name a file of the host.
 */
function findGlobalFlags(words: readonly string[]): ReadonlyMap<string, string | undefined> {
  const flags = new Map<string, string | undefined>()
  for (let index = 0; index < words.length; index++) {
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(words[index] ?? '') ?? []
    if (name === '') break
    const takesNext = value === undefined && TAKES_NEXT_WORD.includes(name)
    flags.set(name, takesNext ? words[++index] : value)
  }
  return flags
}
