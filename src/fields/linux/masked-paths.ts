import type { Pointer } from '../../errors.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { contextOf } from './mount-label.ts'

export const maskedPaths: Field<readonly string[]> = { plan: planMaskedPaths }

function planMaskedPaths(paths: readonly string[], at: Pointer, planning: Planning): Contribution {
  const [context] = contextOf('tmpfs', [], planning)
  const label = context === undefined ? {} : { context }
  const seen = new Set<string>()
  return {
    steps: paths.flatMap((configured, index) => {
      const path = cleanPath(configured)
      // Podman names some twice; a second mask would lie on the first.
      if (seen.has(path)) return []
      seen.add(path)
      const origin = `${at}/${index}`
      return [{ kind: 'mask-path', phase: 'masks', origin, path, ...label } as const]
    }),
  }
}
