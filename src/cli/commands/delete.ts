import { deleteContainer } from '../../engine/delete.ts'
import { type CommandDefinition, isSet } from '../command.ts'

export const remove: CommandDefinition = {
  summary: 'remove what is left of a stopped container',
  positionals: ['ID'],
  addFlags(command) {
    command.option('-f, --force', 'kill it first if it still runs; no error if it is not there')
  },
  run([id = ''], flags, { globals, log, architecture }) {
    deleteContainer({
      rootPath: globals.root,
      id,
      architecture,
      force: isSet(flags, 'force'),
      warn: log.warning,
    })
    return {}
  },
}
