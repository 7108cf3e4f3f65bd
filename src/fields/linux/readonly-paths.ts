import type { Pointer } from '../../errors.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field } from '../field.ts'

export const readonlyPaths: Field<readonly string[]> = { plan: planReadonlyPaths }

function planReadonlyPaths(paths: readonly string[], at: Pointer): Contribution {
  return {
    steps: paths.map((configured, index) => ({
      kind: 'make-path-readonly',
      phase: 'masks',
      origin: `${at}/${index}`,
      path: cleanPath(configured),
    })),
  }
}
