/**
 * A field of config.json as the planner sees it. Tables of fields mirror the Spec type, so that a
 * missing field is a compile error, and each field says what becomes of it. What can be said
 * without the host is checked in config/ before: fields check the rest.
 */
import type { Spec } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import type { CreateOptions, Facts, LimitFacts } from '../host/facts.ts'
import type { Step } from '../plan/steps.ts'

/** All that a field may look at; pure data. */
export interface Planning {
  readonly spec: Spec
  readonly options: CreateOptions
  readonly facts: Facts
  /** Of `update` alone: the cgroups are there already, and what is not configured stays. */
  readonly limits?: LimitFacts
}

/** What a field contributes. Issues stop the plan; warnings are logged. */
export interface Contribution {
  readonly steps?: readonly Step[]
  readonly issues?: readonly Issue[]
  readonly warnings?: readonly string[]
}

export type Field<T> =
  | {
      /** Called with the configured value, which is there. */
      readonly plan: (value: T, at: Pointer, planning: Planning) => Contribution
      /** Called when the config does not have the field: what every container gets anyway. */
      readonly absent?: (at: Pointer, planning: Planning) => Contribution
    }
  /** Without effect on Linux, as the spec allows; the reason. config/ warns of whole sections. */
  | { readonly ignored: string }
  /** Read by another field (named), which plans both. */
  | { readonly readBy: string }
  | { readonly fields: Fields<T> }

export type Fields<T> = { readonly [K in keyof Required<T>]: Field<NonNullable<T[K]>> }
