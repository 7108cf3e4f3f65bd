/** Flags that stand before the command. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../errors.ts'
import { isInitialUserNamespace } from '../host/own-user-namespace.ts'
import { type Flags, isSet, textFlag } from './command.ts'
import { isLevel, LEVELS, type Level } from './log.ts'

export interface Globals {
  /** Absolute path of the directory that holds the state of all containers. */
  readonly root: string
  readonly log?: string
  readonly logFormat: 'text' | 'json'
  /** The least important level that is logged. */
  readonly logLevel: Level
  readonly cgroupManager: CgroupManager
}

/** Who makes and removes cgroups; `disabled`: nobody, the container stays in the caller's. */
export type CgroupManager = (typeof CGROUP_MANAGERS)[number]

const CGROUP_MANAGERS = ['cgroupfs', 'systemd', 'disabled'] as const

export function addGlobalFlags(program: Command): void {
  program
    .option('--root <dir>', 'directory of the state of all containers (default: /run/tsrunc)')
    .option(
      '--log <target>',
      'append log records to FILE, journald:ID or syslog:ID (default: stderr)',
    )
    .option('--log-format <text|json>', 'how records look', 'text')
    .option('--log-level <debug|warning|error>', 'the least of what is logged', 'warning')
    .option('--debug', 'same as --log-level debug')
    .option('--cgroup-manager <cgroupfs|systemd|disabled>', 'who makes cgroups', 'cgroupfs')
    .option(
      '--systemd-cgroup',
      'same as --cgroup-manager systemd: cgroupsPath is slice:prefix:name',
    )
    .option('--rootless <true|false|auto>', 'taken for compatibility, without effect')
}

/** Podman sends no --root, so its default must stay the same for a user. */
export function readGlobals(flags: Flags, env: ReadonlyMap<string, string>): Globals {
  const logFormat = textFlag(flags, 'logFormat') ?? 'text'
  if (logFormat !== 'text' && logFormat !== 'json') {
    throw new UsageError(`--log-format must be text or json, found ${JSON.stringify(logFormat)}`)
  }
  const logLevel = textFlag(flags, 'logLevel') ?? 'warning'
  if (!isLevel(logLevel)) {
    const expected = Object.keys(LEVELS).join(', ')
    throw new UsageError(
      `--log-level must be one of ${expected}, found ${JSON.stringify(logLevel)}`,
    )
  }
  const root = resolve(textFlag(flags, 'root') ?? defaultRoot(env))
  if (root === '/') throw new UsageError('--root must not be /')
  const log = textFlag(flags, 'log')
  return {
    root,
    ...(log !== undefined && log !== '' && { log }),
    logFormat,
    logLevel: isSet(flags, 'debug') ? 'debug' : logLevel,
    cgroupManager: isSet(flags, 'systemdCgroup') ? 'systemd' : readCgroupManager(flags),
  }
}

function readCgroupManager(flags: Flags): CgroupManager {
  const word = textFlag(flags, 'cgroupManager') ?? 'cgroupfs'
  const manager = CGROUP_MANAGERS.find((name) => name === word)
  if (manager !== undefined) return manager
  const expected = CGROUP_MANAGERS.join(', ')
  throw new UsageError(`--cgroup-manager must be one of ${expected}, found ${JSON.stringify(word)}`)
}

/** The root of a user's own namespace is that user, unless it says otherwise, as runc has it. */
function defaultRoot(env: ReadonlyMap<string, string>): string {
  const runtimeDirectory = env.get('XDG_RUNTIME_DIR')
  if (!runtimeDirectory) return '/run/tsrunc'
  const isRoot = process.geteuid?.() === 0
  const isMachines = isRoot && (env.get('USER') === 'root' || isInitialUserNamespace())
  return isMachines ? '/run/tsrunc' : `${runtimeDirectory}/tsrunc`
}
