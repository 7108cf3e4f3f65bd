import type { Flag, Values, Vocabulary } from './vocabulary.ts'

/** A script for a directory of fish's completions, as `tsrunc.fish`. */
export function completeFish(program: Vocabulary, commands: readonly Vocabulary[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  return `# fish completion for tsrunc
function __tsrunc_containers
    set -l words (commandline -opc)
    set -l root
    set -l at (contains -i -- --root $words)
    and set root --root $words[(math $at + 1)]
    command tsrunc $root list --quiet 2>/dev/null
end

function __tsrunc_signals
    string split ' ' (kill -l)
end

complete -c tsrunc -f
set -l no_command 'not __fish_seen_subcommand_from ${names}'
${program.flags.map((flag) => specify('"$no_command"', flag)).join('\n')}
${commands.flatMap(completeCommand).join('\n')}
`
}

function completeCommand({ name, summary, flags, positionals }: Vocabulary): string[] {
  const inCommand = quote(`__fish_seen_subcommand_from ${name}`)
  return [
    `complete -c tsrunc -n "$no_command" -a ${name} -d ${quote(summary)}`,
    ...flags.map((flag) => specify(inCommand, flag)),
    ...positionals
      .map(argumentsFor)
      .filter((words) => words !== '')
      .map((words) => `complete -c tsrunc -n ${inCommand} ${words}`),
  ]
}

function specify(condition: string, { long, short, summary, value }: Flag): string {
  const shortFlag = short === undefined ? '' : ` -s ${short.slice(1)}`
  // Exclusive: the files of the directory are no values, but where files are.
  const argument =
    value === undefined ? '' : ` ${value.kind === 'file' ? '-r' : '-x'} ${argumentsFor(value)}`
  return `complete -c tsrunc -n ${condition} -l ${long.slice(2)}${shortFlag} -d ${quote(summary)}${argument}`.trimEnd()
}

function argumentsFor(values: Values): string {
  switch (values.kind) {
    case 'directory':
      return "-a '(__fish_complete_directories)'"
    case 'file':
      return '-F'
    case 'container':
      return "-a '(__tsrunc_containers)'"
    case 'signal':
      return "-a '(__tsrunc_signals)'"
    case 'words':
      return `-a ${quote(values.words.join(' '))}`
    case 'anything':
      return ''
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
