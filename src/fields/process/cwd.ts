import type { Pointer } from '../../errors.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field } from '../field.ts'

export const cwd: Field<string> = { plan: planCwd }

function planCwd(configured: string, origin: Pointer): Contribution {
  const path = cleanPath(configured)
  const make = { kind: 'make-directory', phase: 'working-directory', origin, path } as const
  return {
    steps: [
      ...(path === '/' ? [] : [make]),
      { kind: 'change-directory', phase: 'directory', origin, path },
      { kind: 'verify-directory', phase: 'executable', origin },
    ],
  }
}
