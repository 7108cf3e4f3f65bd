import type { Flag, Values, Vocabulary } from './vocabulary.ts'

/** A script for `source`, or for a directory of bash-completion. */
export function completeBash(program: Vocabulary, commands: readonly Vocabulary[]): string {
  return `# bash completion for tsrunc
_tsrunc_values() {
  local IFS=$'\\n'
  case $1 in
    directory) COMPREPLY=($(compgen -d -- "$word")); compopt -o filenames 2>/dev/null ;;
    file) COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames 2>/dev/null ;;
    container) COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" "\${root[@]}" list --quiet 2>/dev/null)" -- "$word")) ;;
    signal) COMPREPLY=($(compgen -A signal -- "$word") $(compgen -A signal -- "SIG$word")) ;;
    words) COMPREPLY=($(IFS=' '; compgen -W "$2" -- "$word")) ;;
  esac
}

_tsrunc() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command= position=0 index root=()
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case $command:\${COMP_WORDS[index]} in
      :--root) root=(--root "\${COMP_WORDS[++index]}") ;;
      ${patternOfValued([program, ...commands])}) ((index++)) ;;
      *:-*) ;;
      :*) command=\${COMP_WORDS[index]} ;;
      *) ((position++)) ;;
    esac
  done
  case $command:$previous in
${[program, ...commands].flatMap(completeValues).join('\n')}
  esac
  case $word in
    -*)
      case $command in
${[program, ...commands].map(completeFlags).join('\n')}
      esac
      return ;;
  esac
  case $command:$position in
    :*) _tsrunc_values words '${commands.map(({ name }) => name).join(' ')}' ;;
${commands.flatMap(completePositionals).join('\n')}
  esac
}

complete -F _tsrunc tsrunc
`
}

function patternOfValued(all: readonly Vocabulary[]): string {
  return all.flatMap(({ name, flags }) => patterns(name, flags.filter(hasValue))).join('|')
}

function hasValue({ value }: Flag): boolean {
  return value !== undefined
}

function patterns(command: string, flags: readonly Flag[]): string[] {
  const words = flags.flatMap(({ long, short }) => [long, ...(short ? [short] : [])])
  return words.map((word) => `${command}:${word}`)
}

function completeValues({ name, flags }: Vocabulary): string[] {
  return flags.flatMap((flag) =>
    flag.value === undefined
      ? []
      : [`    ${patterns(name, [flag]).join('|')}) ${callFor(flag.value)}; return ;;`],
  )
}

function completeFlags({ name, flags }: Vocabulary): string {
  const words = flags.map(({ long }) => long).join(' ')
  return `        ${name === '' ? "''" : name}) _tsrunc_values words '${words}' ;;`
}

function completePositionals({ name, positionals, isOpen }: Vocabulary): string[] {
  return positionals.map((values, index) => {
    const isLast = index === positionals.length - 1
    return `    ${name}:${isLast && isOpen ? '*' : index}) ${callFor(values)} ;;`
  })
}

function callFor(values: Values): string {
  const words = values.kind === 'words' ? ` '${values.words.join(' ')}'` : ''
  return `_tsrunc_values ${values.kind}${words}`
}
