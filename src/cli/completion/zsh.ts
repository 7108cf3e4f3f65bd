import type { Flag, Values, Vocabulary } from './vocabulary.ts'

/** A function for a directory of zsh's fpath, as `_tsrunc`. */
export function completeZsh(program: Vocabulary, commands: readonly Vocabulary[]): string {
  return `#compdef tsrunc

_tsrunc_containers() {
  local -a containers root
  [[ -n \${opt_args[--root]} ]] && root=(--root \${opt_args[--root]})
  containers=(\${(f)"$(_call_program containers $service $root list --quiet 2>/dev/null)"})
  compadd -a containers
}

_tsrunc_commands() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n')}
  )
  _describe command commands
}

_tsrunc() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C ${program.flags.flatMap(specify).join(' ')} ':command:_tsrunc_commands' '*::argument:->arguments'
  [[ $state == arguments ]] || return
  service=tsrunc
  case $line[1] in
${commands.map(completeCommand).join('\n')}
  esac
}

_tsrunc "$@"
`
}

function completeCommand({ name, flags, positionals, isOpen }: Vocabulary): string {
  const last = positionals.length - 1
  const places = positionals.map((values, index) =>
    quote(`${isOpen && index === last ? '*' : ''}:${values.kind}:${actionFor(values)}`),
  )
  return `    ${name}) _arguments ${[...flags.flatMap(specify), ...places].join(' ')} ;;`
}

/** A flag in the form of _arguments: '(-b --bundle)--bundle=[directory]:directory:_files -/'. */
function specify({ long, short, summary, value }: Flag): string[] {
  const both = short === undefined ? long : `${short} ${long}`
  const text = summary.replace(/[[\]:]/g, (character) => `\\${character}`)
  const action = value === undefined ? '' : `:${value.kind}:${actionFor(value)}`
  const equals = value === undefined ? '' : '='
  return [
    quote(`(${both})${long}${equals}[${text}]${action}`),
    ...(short === undefined ? [] : [quote(`(${both})${short}[${text}]${action}`)]),
  ]
}

function actionFor(values: Values): string {
  switch (values.kind) {
    case 'directory':
      return '_files -/'
    case 'file':
      return '_files'
    case 'container':
      return '_tsrunc_containers'
    case 'signal':
      return '_signals'
    case 'words':
      return `(${values.words.join(' ')})`
    case 'anything':
      return ' '
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
