/** What a shell can complete, out of the definitions of the commands. */
import type { Command, Option } from 'commander'

/** What a value can be: `directory` and `file` are looked up by the shell. */
export type Values =
  | { readonly kind: 'directory' | 'file' | 'container' | 'signal' | 'anything' }
  | { readonly kind: 'words'; readonly words: readonly string[] }

export interface Flag {
  /** `--bundle` */
  readonly long: string
  /** `-b` */
  readonly short?: string
  readonly summary: string
  /** Absent: a switch. */
  readonly value?: Values
}

export interface Vocabulary {
  /** '' for the program itself. */
  readonly name: string
  readonly summary: string
  readonly flags: readonly Flag[]
  readonly positionals: readonly Values[]
  /** The last positional may be repeated. */
  readonly isOpen: boolean
}

/** The usage line names the positionals: `[flags] ID [SIGNAL]`. */
export function readVocabulary(command: Command): Vocabulary {
  const flags = command.options.map(readFlag)
  const names = command.usage().split(' ').slice(1)
  // Who makes a container gives it a name that is not there yet.
  const isMaker = flags.some(({ long }) => long === '--bundle')
  return {
    name: command.name().split(' ')[1] ?? '',
    summary: command.description(),
    flags,
    positionals: names.map((name) => readPositional(name, isMaker)),
    isOpen: names.some((name) => name.includes('…')),
  }
}

function readFlag({ flags, long, short, description, required }: Option): Flag {
  const placeholder = /<(.*)>/.exec(flags)?.[1] ?? ''
  return {
    long: String(long),
    ...(short !== undefined && { short }),
    summary: description,
    ...(required && { value: readPlaceholder(placeholder) }),
  }
}

function readPlaceholder(placeholder: string): Values {
  if (placeholder.includes('|')) return { kind: 'words', words: placeholder.split('|') }
  if (placeholder === 'dir') return { kind: 'directory' }
  if (placeholder === 'file' || placeholder === 'path') return { kind: 'file' }
  return { kind: placeholder === 'signal' ? 'signal' : 'anything' }
}

/** `ID`, `[SIGNAL]`, `FILE`, `add|remove`, or a word that stands for itself. */
function readPositional(name: string, isMaker: boolean): Values {
  const word = name.replace(/[[\]…]/g, '')
  if (word === 'ID') return { kind: isMaker ? 'anything' : 'container' }
  if (word === 'SIGNAL') return { kind: 'signal' }
  if (word === 'FILE') return { kind: 'file' }
  if (word === 'DIR') return { kind: 'directory' }
  return word === word.toUpperCase()
    ? { kind: 'anything' }
    : { kind: 'words', words: word.split('|') }
}
