import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadDocument } from '../../src/config/load.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { describeFeatures } from '../../src/fields/features.ts'
import { lookAtSeccompFlags } from '../../src/host/seccomp-flags.ts'

const VERSIONS = { spec: '1.3.0', runtime: '0.1.0', commit: 'abc' }
const features = describeFeatures(VERSIONS, [])

interface Schema {
  readonly $defs: Readonly<Record<string, { readonly enum?: readonly string[] }>>
}

const wordsOf = (file: string, name: string): readonly string[] => {
  const url = new URL(`../../schemas/${file}.schema.json`, import.meta.url)
  const { $defs }: Schema = JSON.parse(readFileSync(url, 'utf8'))
  return $defs[name]?.enum?.toSorted() ?? []
}

describe('features', () => {
  test('fit their schema', () => {
    const text = stringifyJson(features, 2)
    expect(loadDocument('features', text, 'features')).toEqual(features)
  })

  test.each([
    ['action', features.linux?.seccomp?.actions],
    ['operator', features.linux?.seccomp?.operators],
    ['architecture', features.linux?.seccomp?.archs],
    ['flag', features.linux?.seccomp?.knownFlags],
  ])('have every %s that a profile may have', (name, list) => {
    expect(wordsOf('seccomp', name).length).toBeGreaterThan(3)
    expect(list?.toSorted()).toEqual(wordsOf('seccomp', name))
  })

  test('have every kind of hook, and the memory policies', () => {
    expect(features.hooks).toEqual([
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ])
    const { modes, flags } = features.linux?.memoryPolicy ?? {}
    expect(modes?.toSorted()).toEqual(wordsOf('linux', 'memoryPolicyMode'))
    expect(flags?.toSorted()).toEqual(wordsOf('linux', 'memoryPolicyFlag'))
  })

  test('tell engines of recursive read-only mounts', () => {
    expect(features.mountOptions).toContain('rro')
  })

  test('depend on the host in one member alone', () => {
    const flags = lookAtSeccompFlags()
    expect(flags).toContain('SECCOMP_FILTER_FLAG_LOG')
    const { linux, ...rest } = describeFeatures(VERSIONS, flags)
    expect(rest).toEqual({ ...features, linux: undefined })
    expect(linux?.seccomp?.supportedFlags).toEqual(flags)
  })
})
