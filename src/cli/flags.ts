/**
 * Flags as runc's users and engines write them, in the one form that commander reads:
 * `-bundle X`, `--bundle=X`, `-b X`, `-b=X` → `--bundle=X`; `--detach=false` → nothing.
 */
import type { Option } from 'commander'
import { findNearest } from '../config/nearest.ts'
import { UsageError } from '../errors.ts'

export interface SplitWords {
  readonly flags: readonly string[]
  readonly positionals: readonly string[]
}

/** Separates flags from positionals; unknown flags and missing values are usage errors. */
export function splitWords(
  words: readonly string[],
  options: readonly Option[],
  stopsAtPositional: boolean,
  hint: (name: string) => string = () => '',
): SplitWords {
  const flags: string[] = []
  const positionals: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (word === '--') return { flags, positionals: [...positionals, ...words.slice(index + 1)] }
    if (!word.startsWith('-') || word === '-') {
      if (stopsAtPositional) return { flags, positionals: words.slice(index) }
      positionals.push(word)
      continue
    }
    const { option, value } = recognise(word, options, hint)
    if (option.required) flags.push(`${option.long}=${value ?? takeNext(words, ++index, word)}`)
    else if (isOn(word, value)) flags.push(String(option.long))
  }
  return { flags, positionals }
}

function recognise(
  word: string,
  options: readonly Option[],
  hint: (name: string) => string,
): { option: Option; value: string | undefined } {
  const split = word.indexOf('=')
  const flag = split < 0 ? word : word.slice(0, split)
  const value = split < 0 ? undefined : word.slice(split + 1)
  const name = flag.replace(/^--?/, '')
  const option = options.find((known) => known.long === `--${name}` || known.short === `-${name}`)
  if (option === undefined)
    throw new UsageError(`unknown flag ${flag}${hint(name) || suggest(name, options)}`)
  return { option, value }
}

function suggest(name: string, options: readonly Option[]): string {
  const names = options.map((option) => String(option.long).slice(2))
  const nearest = findNearest(name, names)
  return nearest === undefined ? '' : ` (did you mean --${nearest}?)`
}

// The words that engines look for when they probe for a flag.
function takeNext(words: readonly string[], index: number, flag: string): string {
  const next = words[index]
  if (next === undefined) throw new UsageError(`${flag} requires an argument`)
  return next
}

function isOn(word: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new UsageError(`${word}: expected true or false, found ${JSON.stringify(value)}`)
}
