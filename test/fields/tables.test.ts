/** The tables are complete by type; here they are compared with the schemas, which are not. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { hooks } from '../../src/fields/hooks.ts'
import { resources } from '../../src/fields/linux/resources.ts'
import { linux } from '../../src/fields/linux.ts'
import { process } from '../../src/fields/process.ts'
import { root } from '../../src/fields/root.ts'
import { spec } from '../../src/fields/spec.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly $defs?: Readonly<Record<string, Schema>>
}

function propertiesOf(file: string, ...path: string[]): string[] {
  const url = new URL(`../../schemas/${file}.schema.json`, import.meta.url)
  let schema: Schema = JSON.parse(readFileSync(url, 'utf8'))
  for (const name of path) schema = schema.$defs?.[name] ?? schema.properties?.[name] ?? {}
  return Object.keys(schema.properties ?? {}).toSorted()
}

const tables = [
  ['config.json', spec, propertiesOf('config')],
  ['/root', root, propertiesOf('config', 'root')],
  ['/hooks', hooks, propertiesOf('config', 'hooks')],
  ['/process', process, propertiesOf('process')],
  ['/linux', linux, propertiesOf('linux')],
  ['/linux/resources', resources, propertiesOf('resources')],
] as const

describe('the tables of fields', () => {
  test.each(tables)(
    '%s has a field for each property of its schema',
    (_name, table, properties) => {
      expect(properties.length).toBeGreaterThan(1)
      expect(Object.keys(table).toSorted()).toEqual(properties)
    },
  )
})
