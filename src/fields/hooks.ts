import type { Hook, Hooks } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import type { Phase } from '../plan/phases.ts'
import type { HookName, RunHook } from '../plan/steps.ts'
import type { Contribution, Field, Fields, Planning } from './field.ts'

/** When each kind runs and what the state's `status` says meanwhile. */
export const hooks: Fields<Hooks> = {
  // Deprecated, and of a time when they ran at start: the status is the one that they were told then.
  prestart: hooksOf('prestart', 'runtime-hooks', 'created'),
  createRuntime: hooksOf('createRuntime', 'runtime-hooks', 'creating'),
  createContainer: hooksOf('createContainer', 'container-hooks', 'creating'),
  startContainer: hooksOf('startContainer', 'start-hooks', 'created'),
  poststart: hooksOf('poststart', 'poststart', 'running'),
  poststop: hooksOf('poststop', 'poststop', 'stopped'),
}

function hooksOf(name: HookName, phase: Phase, status: RunHook['status']): Field<readonly Hook[]> {
  return {
    plan: (configured, at, planning) => {
      const issues = checkCount(name, configured, at)
      if (planning.spec.annotations !== undefined) issues.push(...checkOutputs(planning))
      const warnings: string[] = []
      const steps = configured.map((hook, index): RunHook => {
        const origin = `${at}/${index}`
        const problem = checkHook(name, hook, origin, planning)
        // The container runs without these: start and delete tell what became of them.
        const isFatal = phase !== 'poststart' && phase !== 'poststop'
        if (problem !== undefined && isFatal) issues.push(problem)
        else if (problem !== undefined) warnings.push(`${problem.pointer}: ${problem.found} now`)
        return planHook(name, hook, origin, { phase, status }, planning)
      })
      return { steps, issues, warnings } satisfies Contribution
    },
  }
}

/** Each is a process of the program that makes the container, which has room for so many. */
const MOST_INNER = 30

function checkCount(name: HookName, hooks: readonly Hook[], at: Pointer): Issue[] {
  const isInner = name === 'createContainer' || name === 'startContainer'
  if (!isInner || hooks.length <= MOST_INNER) return []
  return [{ pointer: at, expected: `at most ${MOST_INNER} hooks`, found: String(hooks.length) }]
}

function planHook(
  name: HookName,
  hook: Hook,
  origin: Pointer,
  when: { phase: Phase; status: RunHook['status'] },
  { spec }: Planning,
): RunHook {
  const stdout = spec.annotations?.[OUTPUTS.stdout]
  const stderr = spec.annotations?.[OUTPUTS.stderr]
  const { path, args = [], env = [], timeout } = hook
  return {
    kind: 'run-hook',
    phase: when.phase,
    origin,
    hook: name,
    path,
    args: args.length > 0 ? args : [path],
    env,
    ...(timeout === undefined ? {} : { timeout }),
    status: when.status,
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
  }
}

/** crun's: the files of the host that take what hooks print. */
const OUTPUTS = { stdout: 'run.oci.hooks.stdout', stderr: 'run.oci.hooks.stderr' } as const

function checkOutputs({ spec }: Planning): Issue[] {
  return Object.values(OUTPUTS).flatMap((name) => {
    const path = spec.annotations?.[name]
    if (path === undefined || (path.startsWith('/') && !path.includes('\0'))) return []
    const pointer = `/annotations/${name}`
    return [{ pointer, expected: 'an absolute path', found: JSON.stringify(path) }]
  })
}

/** startContainer's path is the container's: only it can tell. */
function checkHook(
  name: HookName,
  { path }: Hook,
  at: Pointer,
  { facts }: Planning,
): Issue | undefined {
  if (name === 'startContainer') return undefined
  const kind = facts.paths.get(path)
  if (kind === 'file' || kind === 'link') return undefined
  const found = kind === 'directory' ? `a directory at ${path}` : `nothing at ${path}`
  return { pointer: `${at}/path`, expected: 'the path of an executable file', found }
}
