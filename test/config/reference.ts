/** The official schemas and examples, which lie beside the checkout where they are at all. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const directory = new URL('../../../shared/reference/', import.meta.url)

export const hasReference = existsSync(directory)

if (!hasReference) process.stderr.write(`skipped: no reference material at ${directory.pathname}\n`)

export interface ReferenceFile {
  readonly name: string
  readonly text: string
}

export function readReference(folder: string): ReferenceFile[] {
  if (!hasReference) return []
  const names = readdirSync(new URL(`${folder}/`, directory)).filter((name) =>
    name.endsWith('.json'),
  )
  return names.map((name) => ({
    name,
    text: readFileSync(new URL(`${folder}/${name}`, directory), 'utf8'),
  }))
}

/** One file of it; '' where there is none. */
export function readReferenceText(path: string): string {
  return hasReference ? readFileSync(new URL(path, directory), 'utf8') : ''
}
