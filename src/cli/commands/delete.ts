import { deleteContainer } from '../../engine/delete.ts'
import { type CommandDefinition, isSet } from '../command.ts'
import { forEachMatch } from '../matching.ts'

export const remove: CommandDefinition = {
  summary: 'remove what is left of a stopped container',
  positionals: ['ID'],
  addFlags(command) {
    command
      .option('-f, --force', 'kill it first if it still runs; no error if it is not there')
      .option('-r, --regex', 'ID is a regular expression: remove every container that it matches')
  },
  run([id = ''], flags, { globals, log, architecture }) {
    const removeOne = (one: string) =>
      deleteContainer({
        rootPath: globals.root,
        id: one,
        architecture,
        force: isSet(flags, 'force'),
        warn: log.warning,
      })
    if (isSet(flags, 'regex')) forEachMatch(globals.root, id, removeOne)
    else removeOne(id)
    return {}
  },
}
