import type { Personality } from '../../config/spec.ts'
import type { Field } from '../field.ts'

/** The spec knows of no flags yet: what a config has of them is left out with a warning. */
export const personality: Field<Personality> = {
  plan: ({ domain, flags = [] }, origin) => ({
    warnings: flags.map((flag, index) => `${origin}/flags/${index}: ${flag} has no effect`),
    steps:
      domain === undefined
        ? []
        : [{ kind: 'set-personality', phase: 'attributes', origin, domain }],
  }),
}
