import { stringifyJson } from '../../config/stringify-json.ts'
import { describeContainer } from '../../state/describe.ts'
import type { CommandDefinition } from '../command.ts'

export const state: CommandDefinition = {
  summary: 'print the state of a container as JSON',
  positionals: ['ID'],
  run([id = ''], _flags, { globals }) {
    return { output: `${stringifyJson(describeContainer(globals.root, id), 2)}\n` }
  },
}
