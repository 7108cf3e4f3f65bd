/** What a command is: its flags for commander, and a function from options to text. */
import type { Command } from 'commander'
import type { Request } from '../host/request.ts'
import type { Globals } from './globals.ts'
import type { Log } from './log.ts'

export interface Context {
  readonly request: Request
  readonly globals: Globals
  readonly log: Log
  /** Prints what the log holds back, where that cannot wait for the end of the command. */
  readonly flushLog: () => void
  /** Prints at once, for commands that go on; false when nobody reads any more. */
  readonly print: (text: string) => boolean
  readonly architecture: 'x64' | 'arm64'
  /**
   * Carries out another command in this process; its exit status, or undefined where it is one that
   * lasts: then nothing was done.
   */
  readonly answer: (request: Request) => Promise<number | undefined>
}

export interface Outcome {
  /** For stdout. */
  readonly output?: string
  readonly exitCode?: number
  /** What went wrong although the command did its part; an `exitCode` goes with it. */
  readonly failure?: string
}

export interface CommandDefinition {
  /** One line for `--help`. */
  readonly summary: string
  /** `ID [SIGNAL]`: upper case as shown in the help, in brackets what may be left out. */
  readonly positionals: readonly string[]
  readonly addFlags?: (command: Command) => void
  /** Everything after the first positional is a positional, also what begins with a dash. */
  readonly stopsAtPositional?: boolean
  /** Exit status when `run` throws; 1 if absent. */
  readonly failureStatus?: number
  /** Whether it goes on for as long as a container or its caller does; absent: it does not. */
  readonly lasts?: (flags: Flags) => boolean
  readonly run: (
    positionals: readonly string[],
    flags: Flags,
    context: Context,
  ) => Promise<Outcome> | Outcome
}

/** Values of flags by their camelCase names. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** All values of a flag that may be repeated. */
export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name]
  return Array.isArray(value) ? value : []
}

/** Makes a flag repeatable. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

export function isSet(flags: Flags, name: string): boolean {
  return flags[name] === true
}
