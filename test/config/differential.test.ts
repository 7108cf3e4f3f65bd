/**
 * Ours against the official schemas: mutations of a config that has every member, each mutation
 * at each place once, and then several at a time, from a seed.
 */
import { Ajv } from 'ajv/dist/ajv.js'
import { describe, expect, it } from 'vitest'
import { checks } from '../../src/config/checks.ts'
import { loadDocument, loadSpec } from '../../src/config/load.ts'
import { type Issue, SpecError } from '../../src/errors.ts'
import { fullConfig } from './full-config.ts'
import { hasReference, readReference } from './reference.ts'

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
type Path = readonly (string | number)[]

const REMOVE = Symbol('remove')
const WRONG: readonly (Json | typeof REMOVE)[] = [
  REMOVE,
  null,
  true,
  '',
  'x',
  'SCMP_ACT_ALOW',
  '/a',
  '2mb',
  0,
  1,
  -1,
  1.5,
  512,
  65536,
  4294967296,
  -1e19,
  4e19,
  [],
  [null],
  ['x', 1],
  {},
  { x: 1 },
]

/** mulberry32 */
function makeRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function listPaths(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const members = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [path, ...members.flatMap(([name, member]) => listPaths(member, [...path, name]))]
}

function mutate(config: Json, path: Path, to: Json | typeof REMOVE): Json {
  const [name, ...rest] = path
  if (name === undefined) return to === REMOVE ? {} : to
  if (typeof config !== 'object' || config === null) return config
  const copy = Array.isArray(config) ? [...config] : { ...config }
  const members = copy as Record<string | number, Json>
  if (rest.length > 0) members[name] = mutate(members[name] ?? null, rest, to)
  else if (to !== REMOVE) members[name] = to
  else if (Array.isArray(copy)) copy.splice(Number(name), 1)
  else delete members[name]
  return copy
}

function dropNullMembers(value: Json): Json {
  if (Array.isArray(value)) return value.map(dropNullMembers)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, member]) => member !== null)
  return Object.fromEntries(kept.map(([name, member]) => [name, dropNullMembers(member)]))
}

function compileOfficial(): (config: Json) => boolean {
  // They are draft-04, of which they use nothing that later drafts read otherwise.
  const ajv = new Ajv({ strict: false, validateSchema: false, logger: false })
  for (const { name, text } of readReference('runtime-spec-schema')) {
    const { $schema: _, ...schema } = JSON.parse(text) as Record<string, Json>
    ajv.addSchema(schema, name)
  }
  const validate = ajv.getSchema('config-schema.json')
  if (validate === undefined) throw new Error('there is no config-schema.json')
  return (config) => validate(dropNullMembers(config)) === true
}

function findIssues(load: () => unknown): readonly Issue[] {
  try {
    load()
    return []
  } catch (error) {
    if (error instanceof SpecError) return error.issues
    throw error
  }
}

/** Podman writes the mode of devices with the bits of the type: for ours that is a check. */
function isDeviceMode(pointers: readonly string[]): boolean {
  return pointers.some((pointer) => /^\/linux\/devices\/\d+\/fileMode$/.test(pointer))
}

describe.skipIf(!hasReference)('beside the official schemas', () => {
  const base = JSON.parse(JSON.stringify(fullConfig)) as Json
  const paths = listPaths(base)
  const official = hasReference ? compileOfficial() : () => true

  /** What is wrong with our verdict, if anything is. */
  function compare(config: Json, isFine: boolean): string | undefined {
    const text = JSON.stringify(config)
    const schemaIssues = findIssues(() => loadDocument('config', text, 'config.json'))
    if (schemaIssues.length > 0) {
      return isFine ? `ours alone refuse ${schemaIssues[0]?.pointer}` : undefined
    }
    const issues = findIssues(() => loadSpec(text, 'config.json'))
    if (isFine) return undefined
    if (issues.length === 0) return 'the official schemas refuse it, ours do not'
    const isLeft = !isDeviceMode(issues.map(({ pointer }) => pointer))
    return isLeft ? 'the official schemas refuse it, ours leave it to a check' : undefined
  }

  it('accepts the config that has everything', () => {
    expect(official(base)).toBe(true)
    expect(loadSpec(JSON.stringify(base), 'config.json').ignored).toEqual([])
  })

  it('gives the same verdict on each mutation at each place', () => {
    let refused = 0
    let cases = 0
    const different: string[] = []
    for (const path of paths) {
      for (const wrong of WRONG) {
        const config = mutate(base, path, wrong)
        const isFine = official(config)
        const fault = compare(config, isFine)
        cases++
        if (!isFine) refused++
        if (fault !== undefined) different.push(`/${path.join('/')} = ${String(wrong)}: ${fault}`)
      }
    }
    expect(different).toEqual([])
    expect(cases).toBeGreaterThan(5000)
    expect(refused).toBeGreaterThan(cases / 2)
  }, 60_000)

  it('gives the same verdict on several mutations at once', () => {
    const random = makeRandom(20260101)
    const different: string[] = []
    for (let number = 0; number < 3000; number++) {
      let config = base
      const done: string[] = []
      for (let count = 1 + random(4); count > 0; count--) {
        const path = paths[1 + random(paths.length - 1)] ?? []
        const wrong = WRONG[random(WRONG.length)] ?? null
        config = mutate(config, path, wrong)
        done.push(`/${path.join('/')} = ${String(wrong)}`)
      }
      const fault = compare(config, official(config))
      if (fault !== undefined) different.push(`${done.join(', ')}: ${fault}`)
    }
    expect(different).toEqual([])
  }, 60_000)

  it('refuses beyond them only by a check that has a name', () => {
    const random = makeRandom(7)
    let beyond = 0
    for (let number = 0; number < 3000; number++) {
      const path = paths[1 + random(paths.length - 1)] ?? []
      const config = mutate(base, path, WRONG[random(WRONG.length)] ?? null)
      if (!official(config)) continue
      const text = JSON.stringify(config)
      const found = findIssues(() => loadSpec(text, 'config.json')).map(({ pointer }) => pointer)
      const spec = loadDocument('config', text, 'config.json')
      const named = checks.flatMap(({ run }) => run(spec)).map(({ pointer }) => pointer)
      expect(new Set(found)).toEqual(new Set(named))
      if (found.length > 0) beyond++
    }
    expect(beyond).toBeGreaterThan(20)
    expect(checks.every(({ name }) => name !== '')).toBe(true)
  }, 60_000)
})
