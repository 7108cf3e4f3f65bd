import { killContainer } from '../../engine/kill.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'
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
  },
  run([id = '', word], flags, { globals }) {
    const signal = parseSignal(word ?? textFlag(flags, 'signal') ?? 'SIGTERM')
    killContainer(globals.root, id, signal, isSet(flags, 'all'))
    return {}
  },
}
