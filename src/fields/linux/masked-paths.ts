import type { Pointer } from '../../errors.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field } from '../field.ts'

export const maskedPaths: Field<readonly string[]> = { plan: planMaskedPaths }

function planMaskedPaths(paths: readonly string[], at: Pointer): Contribution {
  const seen = new Set<string>()
  return {
    steps: paths.flatMap((configured, index) => {
      const path = cleanPath(configured)
      // Podman names some twice; a second mask would lie on the first.
      if (seen.has(path)) return []
      seen.add(path)
      return [{ kind: 'mask-path', phase: 'masks', origin: `${at}/${index}`, path } as const]
    }),
  }
}
