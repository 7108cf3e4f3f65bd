/**
 * The log as engines read it: with `--log FILE` one record a line, appended; JSON records are
 * `{level, msg, time}` with an RFC 3339 time, or containerd cannot decode the file.
 */
import { openSync, writeSync } from 'node:fs'
import { describeError, UsageError } from '../errors.ts'
import type { Globals } from './globals.ts'

export type Level = 'debug' | 'warning' | 'error'
export type LogFlags = Pick<Globals, 'log' | 'logFormat' | 'debug'>

export interface Log {
  readonly debug: (message: string) => void
  readonly warning: (message: string) => void
  /** Gives the lines that belong on stderr. */
  readonly fatal: (message: string) => string
  /** Writes what was held back; gives the lines that belong on stderr, each once. */
  readonly finish: () => string
}

export function createLog({ log, logFormat, debug }: LogFlags): Log {
  const fd = log === undefined ? undefined : openLog(log)
  const held: string[] = []
  let stderr = ''

  function write(level: Level, message: string): void {
    const record = formatRecord(logFormat, level, message, new Date())
    if (fd === undefined) stderr += record
    else writeSync(fd, record)
  }

  return {
    debug(message) {
      if (debug) write('debug', message)
    },
    // Podman decodes the log of a failure as one JSON object: warnings wait for the success.
    warning(message) {
      if (debug) write('warning', message)
      else held.push(message)
    },
    fatal(message) {
      write('error', message)
      return fd === undefined ? stderr : `${stderr}${message}\n`
    },
    finish() {
      for (const message of held.splice(0)) write('warning', message)
      const lines = stderr
      stderr = ''
      return lines
    },
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

/** The log flags of a command line that is wrong elsewhere: the error still goes to the log. */
export function salvageLogFlags(argv: readonly string[]): LogFlags {
  const find = (name: string): string | undefined => {
    const index = argv.findLastIndex((word) => new RegExp(`^--?${name}(=|$)`).test(word))
    return argv[index]?.includes('=') ? argv[index].replace(/^[^=]*=/, '') : argv[index + 1]
  }
  const has = (name: string) => argv.some((word) => new RegExp(`^--?${name}(=|$)`).test(word))
  const log = has('log') ? find('log') : undefined
  return {
    ...(log !== undefined && { log }),
    logFormat: has('log-format') && find('log-format') === 'json' ? 'json' : 'text',
    debug: has('debug'),
  }
}

function openLog(file: string): number {
  try {
    return openSync(file, 'a', 0o644)
  } catch (error) {
    throw new UsageError(`cannot write to --log: ${describeError(error)}`)
  }
}
