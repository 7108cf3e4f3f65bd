/** What a command that cannot be done says, and that it leaves nothing behind. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import {
  type Bundle,
  cgroupPath,
  createBundle,
  freshId,
  type InvokeOptions,
  invoke,
  listContainerDirectories,
  type Patch,
  type Runtime,
  stateDirectory,
} from './rig.ts'

export interface RefusalOptions extends InvokeOptions {
  readonly command?: 'create' | 'run'
  readonly flags?: readonly string[]
  /** Done to the bundle when its config is written. */
  readonly damage?: (bundle: Bundle) => void
}

/** `create` or `run` of what cannot be: its one message. */
export function refuse(
  runtime: Runtime,
  patch: Patch = () => {},
  options: RefusalOptions = {},
): string {
  const bundle = createBundle(patch)
  options.damage?.(bundle)
  const flags = ['--bundle', bundle.directory, ...(options.flags ?? [])]
  const words = [options.command ?? 'create', ...flags, freshId(runtime)]
  const before = look(bundle)
  const message = fail(runtime, words, options)
  // runc 1.1 leaves the parents of cgroups that it made.
  if (runtime.name === 'tsrunc') expect(look(bundle)).toEqual(before)
  return message
}

/** A command that fails: with exactly one record in the log, and the same line on stderr. */
export function fail(
  runtime: Runtime,
  words: readonly string[],
  options: InvokeOptions = {},
  expected = 1,
): string {
  const log = join(dirname(stateDirectory()), 'refusal.json')
  const globals = ['--log', log, '--log-format', 'json', ...(options.globals ?? [])]
  rmSync(log, { force: true })
  const { status, signal, stdout, stderr } = invoke(runtime, words, { ...options, globals })
  expect({ status, signal, stdout }).toEqual({ status: expected, signal: null, stdout: '' })
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  const record = JSON.parse(lines.at(-1) ?? '') as Readonly<Record<string, string>>
  // runc may warn before.
  if (runtime.name === 'tsrunc') {
    expect(lines).toHaveLength(1)
    expect(Object.keys(record).toSorted()).toEqual(['level', 'msg', 'time'])
  }
  expect(record.level).toBe('error')
  expect(record.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)
  expect(stderr).toBe(`${record.msg}\n`)
  expect(stderr).not.toMatch(/internal error|^\s+at /m)
  return record.msg ?? ''
}

/** What a container could leave on this host; /tmp aside, where other tests work, too. */
function look(bundle: Bundle): unknown {
  const hierarchies = readdirSync('/sys/fs/cgroup')
  const cgroup = cgroupPath(bundle)
  // systemd removes a slice some time after the last unit in it.
  const paths = [dirname(cgroup), cgroup].filter((path) => !path.endsWith('.slice'))
  return {
    containers: listContainerDirectories(),
    cgroups: ['.', ...hierarchies].flatMap((hierarchy) =>
      paths.filter((path) => existsSync(join('/sys/fs/cgroup', hierarchy, path))),
    ),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(dirname(stateDirectory()))),
  }
}

export interface Case extends RefusalOptions {
  readonly name: string
  readonly patch?: Patch
  /** What engines look for, in every runtime. */
  readonly words?: RegExp
  /** All that tsrunc says, after `create ID: `. */
  readonly says: RegExp
  /** runc does not refuse it, or only later. */
  readonly onlyHere?: boolean
}

export function checkCases(runtime: Runtime, cases: readonly Case[]): void {
  const known = cases.filter(({ onlyHere }) => runtime.name === 'tsrunc' || onlyHere !== true)
  it.each(known)('$name', ({ patch, words, says, ...options }) => {
    const message = refuse(runtime, patch, options)
    if (words !== undefined) expect(message).toMatch(words)
    if (runtime.name !== 'tsrunc') return
    expect(message.replace(/^(create|run) tsrunc-test-\S+: /, '')).toMatch(says)
  })
}
