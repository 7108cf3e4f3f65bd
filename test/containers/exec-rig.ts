/** Containers that run, for `exec` to go into. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import type { Config } from './config.ts'
import {
  type Container,
  createContainer,
  globalFlags,
  type InvokeOptions,
  invoke,
  type Patch,
  parseValues,
  probeArguments,
  type Result,
  type Runtime,
  type Value,
} from './rig.ts'

/** What probe.c's `report` gives, as far as tests of exec look at it. */
export interface Report {
  readonly pid: number
  readonly ppid: number
  readonly sid: number
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly capabilities: Readonly<Record<string, string>>
  readonly limits: readonly (readonly [string, string])[]
  readonly umask: string
  readonly noNewPrivileges: number
  readonly seccomp: number
  readonly blocked: readonly number[]
  readonly ignored: readonly number[]
  readonly cwd: string
  readonly hostname: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly fds: readonly number[]
  readonly namespaces: Readonly<Record<string, string>>
  readonly keyring: string
  readonly oomScoreAdj: string
  readonly cgroup: string
}

export type Operations = readonly (readonly string[])[]

/** A container whose first process sleeps, or does what is asked. */
export function startContainer(
  runtime: Runtime,
  patch: Patch = () => {},
  operations: Operations = [['sleep', '1000']],
): Container {
  const container = createContainer(runtime, operations, patch)
  const { status, stderr } = invoke(runtime, ['start', container.id])
  if (status !== 0) throw new Error(`${runtime.name} start: ${stderr}`)
  return container
}

export interface ExecOptions extends InvokeOptions {
  readonly flags?: readonly string[]
}

/** `exec` of the probe, whatever becomes of it. */
export function exec(
  runtime: Runtime,
  id: string,
  operations: Operations,
  options: ExecOptions = {},
): Result {
  const words = ['exec', ...(options.flags ?? []), id, ...probeArguments(operations)]
  return invoke(runtime, words, options)
}

/** What one operation of the probe gives there; throws where anything is said on stderr. */
export function execValue(
  runtime: Runtime,
  id: string,
  operation: readonly string[],
  options: ExecOptions = {},
): Value {
  const { stdout, stderr } = exec(runtime, id, [operation], options)
  if (stderr !== '') throw new Error(stderr)
  return parseValues(stdout)[0]
}

/** What the probe sees there. */
export function execReport(runtime: Runtime, id: string, options: ExecOptions = {}): Report {
  const result = exec(runtime, id, [['report']], options)
  if (result.status !== 0) throw new Error(`${runtime.name} exec: ${result.stderr}`)
  return parseValues(result.stdout)[0] as Report
}

/** `exec --process` of a file with this process; its program is the probe. */
export function execFile(
  runtime: Runtime,
  { id, bundle }: Container,
  process: Partial<Config['process']>,
  options: ExecOptions & { readonly operations?: Operations } = {},
): Result {
  const file = join(bundle.directory, 'process.json')
  const args = probeArguments(options.operations ?? [['report']])
  writeFileSync(file, stringifyJson({ args, cwd: '/', user: { uid: 0, gid: 0 }, ...process }))
  const words = ['exec', ...(options.flags ?? []), '--process', file, id]
  return invoke(runtime, words, options)
}

/** `exec` in the background, in the foreground of its own caller. */
export function spawnExec(
  runtime: Runtime,
  id: string,
  operations: Operations,
  flags: readonly string[] = [],
) {
  const command = ['exec', ...flags, id, ...probeArguments(operations)]
  const words = [...globalFlags(), ...command]
  return spawn(runtime.path, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
}
