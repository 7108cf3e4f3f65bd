/** One command for several containers. */
import { describeError, StateError, UsageError } from '../errors.ts'
import { findContainers } from '../state/store.ts'

/**
 * `--regex`: calls `act` for each container of which the expression matches some part of the id.
 * Nobody matching is no error.
 */
export function forEachMatch(
  rootPath: string,
  expression: string,
  act: (id: string) => void,
): void {
  const ids = findContainers(rootPath, compile(expression))
  attemptEach(ids, act, (id, error) => `${id}: ${describeError(error)}`)
}

/** What fails for one container does not keep the others from it. */
export function forEachContainer(ids: readonly string[], act: (id: string) => void): void {
  const [only = '', ...more] = ids
  if (more.length === 0) act(only)
  else attemptEach(ids, act, (_, error) => describeError(error))
}

function attemptEach(
  ids: readonly string[],
  act: (id: string) => void,
  describe: (id: string, error: unknown) => string,
): void {
  const failures: string[] = []
  for (const id of ids) {
    try {
      act(id)
    } catch (error) {
      failures.push(describe(id, error))
    }
  }
  if (failures.length > 0) throw new StateError(failures.join('; '))
}

function compile(expression: string): RegExp {
  try {
    return new RegExp(expression)
  } catch (error) {
    throw new UsageError(`--regex: ${describeError(error)}`)
  }
}
