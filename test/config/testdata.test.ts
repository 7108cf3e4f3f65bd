import { describe, expect, it } from 'vitest'
import { loadDocument, loadSpec } from '../../src/config/load.ts'
import { SpecError } from '../../src/errors.ts'
import { hasReference, readReference } from './reference.ts'

describe.skipIf(!hasReference)('the examples of the runtime specification', () => {
  for (const kind of ['config', 'state', 'features'] as const) {
    for (const { name, text } of readReference(`runtime-spec-testdata/${kind}/good`)) {
      it(`accepts ${kind}/good/${name}`, () => {
        expect(loadDocument(kind, text, name)).toBeTypeOf('object')
      })
    }
    for (const { name, text } of readReference(`runtime-spec-testdata/${kind}/bad`)) {
      it(`refuses ${kind}/bad/${name}`, () => {
        expect(() => loadDocument(kind, text, name)).toThrow(SpecError)
      })
    }
  }
})

describe.skipIf(!hasReference)('configs that engines write', () => {
  for (const { name, text } of readReference('engine-configs')) {
    it(`load without a warning: ${name}`, () => {
      const { spec, ignored, warnings } = loadSpec(text, name)
      expect(spec.process?.args).not.toHaveLength(0)
      expect({ ignored, warnings }).toEqual({ ignored: [], warnings: [] })
    })
  }
})
