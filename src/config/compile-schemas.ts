/**
 * Build time only: turns `schemas/` into `validators.generated.js`, plain functions without ajv,
 * for loading ajv takes longer than all that `create` computes.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Ajv } from 'ajv/dist/ajv.js'
import standalone from 'ajv/dist/standalone/index.js'
import type { Shape } from './shape.ts'

const FORMATS = ['int64', 'uint64'] as const
const EXPORTS = {
  validateConfig: 'config.schema.json',
  validateProcess: 'process.schema.json',
  validateResources: 'resources.schema.json',
  validateMounts: 'mounts.schema.json',
  validateState: 'state.schema.json',
  validateFeatures: 'features.schema.json',
}
// The build is bundled before it runs, so import.meta does not tell where this file lies.
const SCHEMAS = 'schemas'
const OUTPUT = 'src/config/validators.generated.js'

interface Schema {
  readonly $id?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly format?: string
  readonly title?: string
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
}

/** Run at the top of the package. */
export function compileSchemas(): void {
  const schemas = readSchemas()
  checkDialect(schemas)
  // The 2020 build also generates the bookkeeping of unevaluatedProperties and $dynamicRef, which
  // we do not use; it doubles size and time.
  const ajv = new Ajv({
    allErrors: true,
    messages: false,
    strictTypes: false,
    formats: formats(),
    code: { source: true, esm: true },
  })
  for (const schema of schemas.values()) ajv.addSchema(omitWords(schema))
  const shapes = Object.entries(EXPORTS).map(([name, id]) => [
    name.replace('validate', '').toLowerCase(),
    toShape({ $ref: id }, '', schemas),
  ])
  const code = [
    shorten(standalone.default(ajv, EXPORTS)),
    `export const shapes = ${JSON.stringify(Object.fromEntries(shapes))}`,
    `export const patternTitles = ${JSON.stringify(collectTitles([...schemas.values()]))}`,
    '',
  ].join('\n')
  if (/\brequire\(|\bimport\b/.test(code)) throw new Error('the validators import a module')
  // By rename, for another run of the tests may be reading it.
  const temporary = OUTPUT.replace('.generated.', `.${process.pid}.generated.`)
  writeFileSync(temporary, code)
  renameSync(temporary, OUTPUT)
}

/** A third of the code builds error objects in place: a call each instead, without schemaPath. */
function shorten(code: string): string {
  const error =
    /const (err\d+) = \{instancePath(?::([^{}]*?))?,schemaPath:"(?:[^"\\]|\\.)*",keyword:("\w+"),params:(\{.*?\})\};if\(vErrors === null\)\{vErrors = \[\1\];\}else \{vErrors\.push\(\1\);\}errors\+\+;/g
  const short = code.replace(
    error,
    (_, _name, path = 'instancePath', keyword, params) =>
      `vErrors = note(vErrors, ${path}, ${keyword}, ${params});errors++;`,
  )
  return `${short}
function note(errors, instancePath, keyword, params) {
  const list = errors ?? []
  list.push({ instancePath, keyword, params })
  return list
}`
}

/** That the schemas are what their $schema says. */
function checkDialect(schemas: ReadonlyMap<string, Schema>): void {
  const ajv = new Ajv2020({ strictTypes: false, formats: formats() })
  for (const schema of schemas.values()) ajv.addSchema(schema)
  for (const id of schemas.keys()) ajv.getSchema(id)
}

function formats(): Record<string, true> {
  return Object.fromEntries(FORMATS.map((name) => [name, true]))
}

/** The generated code carries copies of the schemas: without the words for people. */
function omitWords(schema: Schema): Schema {
  const text = JSON.stringify(schema, (key, value) =>
    ['$schema', 'title', 'description'].includes(key) && typeof value === 'string'
      ? undefined
      : value,
  )
  return JSON.parse(text) as Schema
}

export function readSchemas(): Map<string, Schema> {
  const schemas = new Map<string, Schema>()
  for (const name of readdirSync(SCHEMAS)) {
    if (!name.endsWith('.schema.json')) continue
    schemas.set(name, JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8')) as Schema)
  }
  return schemas
}

/** What the loader needs of a schema: which names are known, and which integers are 64-bit. */
function toShape(schema: Schema, base: string, schemas: ReadonlyMap<string, Schema>): Shape {
  if (schema.$ref !== undefined) {
    const [file = '', path = ''] = schema.$ref.split('#')
    const document = schemas.get(file === '' ? base : file)
    const name = path.replace('/$defs/', '')
    const target = name === '' ? document : document?.$defs?.[name]
    if (target === undefined) throw new Error(`${base}: there is no ${schema.$ref}`)
    return toShape(target, file === '' ? base : file, schemas)
  }
  const wide = FORMATS.find((format) => format === schema.format)
  if (wide !== undefined) return { wide }
  if (schema.properties !== undefined) {
    const members = Object.entries(schema.properties)
    const shapes = members.map(([name, member]) => [name, toShape(member, base, schemas)])
    return { properties: Object.fromEntries(shapes) }
  }
  if (schema.additionalProperties !== undefined) {
    return keep('values', toShape(schema.additionalProperties, base, schemas))
  }
  return schema.items === undefined ? {} : keep('items', toShape(schema.items, base, schemas))
}

/** A list of what needs no visit needs none itself. */
function keep(kind: 'values' | 'items', shape: Shape): Shape {
  return Object.keys(shape).length === 0 ? {} : { [kind]: shape }
}

/** The words for each pattern, from the title beside it. */
function collectTitles(schema: unknown): Record<string, string> {
  if (typeof schema !== 'object' || schema === null) return {}
  const { pattern, title } = schema as Schema
  const own = typeof pattern === 'string' && typeof title === 'string' ? { [pattern]: title } : {}
  return Object.assign(own, ...Object.values(schema).map(collectTitles))
}
