import type { Pointer } from '../../errors.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { NOTIFY_VARIABLE } from '../notify.ts'

export const env: Field<readonly string[]> = {
  plan: (_configured, at, planning) => planEnv(at, planning),
  absent: planEnv,
}

/** What the process gets, without HOME where that has to be looked up. */
export function containerEnvironment({ spec, options }: Planning): readonly string[] {
  const variables = new Map<string, string>()
  for (const entry of spec.process?.env ?? []) set(variables, entry)
  if (variables.get('HOME') === 'HOME=') variables.delete('HOME')
  if (options.listenFds > 0) {
    set(variables, `LISTEN_FDS=${options.listenFds}`)
    // Always 1: without a pid namespace of its own nobody could know the pid in advance.
    set(variables, 'LISTEN_PID=1')
  }
  if (options.notifyDirectory !== undefined) set(variables, NOTIFY_VARIABLE)
  return [...variables.values()]
}

/** Value of a variable of the container. */
export function variableOf(name: string, planning: Planning): string | undefined {
  const entry = containerEnvironment(planning).find((entry) => entry.startsWith(`${name}=`))
  return entry?.slice(name.length + 1)
}

/** Of duplicates the last one counts: what getenv(3) finds would depend on the libc. */
function set(variables: Map<string, string>, entry: string): void {
  const [name = ''] = entry.split('=', 1)
  variables.delete(name)
  variables.set(name, entry)
}

function planEnv(origin: Pointer, planning: Planning): Contribution {
  if (variableOf('HOME', planning) !== undefined) return {}
  const uid = planning.spec.process?.user?.uid ?? 0
  return { steps: [{ kind: 'read-home', phase: 'home', origin, uid }] }
}
