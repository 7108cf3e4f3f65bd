/** Flags that stand before the command. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../errors.ts'
import { type Flags, isSet, textFlag } from './command.ts'

export interface Globals {
  /** Absolute path of the directory that holds the state of all containers. */
  readonly root: string
  readonly log?: string
  readonly logFormat: 'text' | 'json'
  readonly debug: boolean
  readonly systemdCgroup: boolean
}

export function addGlobalFlags(program: Command): void {
  program
    .option('--root <dir>', 'directory of the state of all containers (default: /run/tsrunc)')
    .option('--log <file>', 'append log records to this file (default: stderr)')
    .option('--log-format <format>', 'text or json', 'text')
    .option('--debug', 'log more')
    .option('--systemd-cgroup', 'let systemd manage cgroups: cgroupsPath is slice:prefix:name')
    .option('--rootless <word>', 'true, false or auto: taken for compatibility, without effect')
}

/** Podman sends no --root, so its default must stay the same for a user. */
export function readGlobals(flags: Flags, env: ReadonlyMap<string, string>): Globals {
  const logFormat = textFlag(flags, 'logFormat') ?? 'text'
  if (logFormat !== 'text' && logFormat !== 'json') {
    throw new UsageError(`--log-format must be text or json, found ${JSON.stringify(logFormat)}`)
  }
  const root = resolve(textFlag(flags, 'root') ?? defaultRoot(env))
  if (root === '/') throw new UsageError('--root must not be /')
  const log = textFlag(flags, 'log')
  return {
    root,
    ...(log !== undefined && log !== '' && { log }),
    logFormat,
    debug: isSet(flags, 'debug'),
    systemdCgroup: isSet(flags, 'systemdCgroup'),
  }
}

function defaultRoot(env: ReadonlyMap<string, string>): string {
  const runtimeDirectory = env.get('XDG_RUNTIME_DIR')
  const isRoot = process.geteuid?.() === 0
  return !isRoot && runtimeDirectory ? `${runtimeDirectory}/tsrunc` : '/run/tsrunc'
}
