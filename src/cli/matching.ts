/** `--regex`: one command for every container whose id matches. */
import { describeError, StateError, UsageError } from '../errors.ts'
import { findContainers } from '../state/store.ts'

/**
 * Calls `act` for each container of which the expression matches some part of the id; what fails
 * for one does not keep the others from it. Nobody matching is no error.
 */
export function forEachMatch(
  rootPath: string,
  expression: string,
  act: (id: string) => void,
): void {
  const failures: string[] = []
  for (const id of findContainers(rootPath, compile(expression))) {
    try {
      act(id)
    } catch (error) {
      failures.push(`${id}: ${describeError(error)}`)
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
