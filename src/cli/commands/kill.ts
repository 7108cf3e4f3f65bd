import { killContainer } from '../../engine/kill.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'
import { forEachMatch } from '../matching.ts'
import { parseSignal } from '../numbers.ts'

export const kill: CommandDefinition = {
  summary: "send a signal (default: SIGTERM) to the container's first process",
  positionals: ['ID', '[SIGNAL]'],
  // `kill ID -9` is a signal that is wrong, not a flag.
  stopsAtPositional: true,
  addFlags(command) {
    command
      .option('-a, --all', 'send it to every process of the container')
      .option('-s, --signal <signal>', 'the signal, as a number or a name')
      .option('-r, --regex', 'ID is a regular expression: signal every container that it matches')
  },
  run([id = '', word], flags, { globals }) {
    const signal = parseSignal(word ?? textFlag(flags, 'signal') ?? 'SIGTERM')
    const send = (one: string) => killContainer(globals.root, one, signal, isSet(flags, 'all'))
    if (isSet(flags, 'regex')) forEachMatch(globals.root, id, send)
    else send(id)
    return {}
  },
}
