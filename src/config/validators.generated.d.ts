/** What compile-schemas.ts generates. */
import type { Shape } from './shape.ts'

/** One complaint of a generated validator, in ajv's terms. */
export interface Complaint {
  readonly instancePath: string
  readonly keyword: string
  readonly params: {
    readonly type?: string
    readonly missingProperty?: string
    readonly allowedValues?: readonly string[]
    readonly pattern?: string
    readonly comparison?: string
    readonly limit?: number
  }
}

export interface Validator {
  (value: unknown): boolean
  errors?: readonly Complaint[] | null
}

export const validateConfig: Validator
export const validateProcess: Validator
export const validateResources: Validator
export const validateMounts: Validator
export const validateState: Validator
export const validateFeatures: Validator
export const shapes: Readonly<Record<'config' | 'process' | 'resources' | 'mounts' | 'state' | 'features', Shape>>
/** What a pattern wants, in words. */
export const patternTitles: Readonly<Record<string, string>>
