import type { Hook, Hooks } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import type { Phase } from '../plan/phases.ts'
import type { HookName, RunHook } from '../plan/steps.ts'
import type { Contribution, Field, Fields, Planning } from './field.ts'

/** When each kind runs and what the state's `status` says meanwhile. */
export const hooks: Fields<Hooks> = {
  prestart: hooksOf('prestart', 'runtime-hooks', 'creating'),
  createRuntime: hooksOf('createRuntime', 'runtime-hooks', 'creating'),
  createContainer: hooksOf('createContainer', 'container-hooks', 'creating'),
  startContainer: hooksOf('startContainer', 'start-hooks', 'created'),
  poststart: hooksOf('poststart', 'poststart', 'running'),
  poststop: hooksOf('poststop', 'poststop', 'stopped'),
}

function hooksOf(name: HookName, phase: Phase, status: RunHook['status']): Field<readonly Hook[]> {
  return {
    plan: (configured, at, planning) => {
      const issues: Issue[] = []
      const warnings: string[] = []
      const steps = configured.map((hook, index): RunHook => {
        const origin = `${at}/${index}`
        const problem = checkHook(name, hook, origin, planning)
        // The container runs without these: start and delete tell what became of them.
        const isFatal = phase !== 'poststart' && phase !== 'poststop'
        if (problem !== undefined && isFatal) issues.push(problem)
        else if (problem !== undefined) warnings.push(`${problem.pointer}: ${problem.found} now`)
        return planHook(name, hook, origin, { phase, status })
      })
      return { steps, issues, warnings } satisfies Contribution
    },
  }
}

function planHook(
  name: HookName,
  hook: Hook,
  origin: Pointer,
  when: { phase: Phase; status: RunHook['status'] },
): RunHook {
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
  }
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
