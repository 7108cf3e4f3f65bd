import { startContainer } from '../../engine/start.ts'
import type { CommandDefinition } from '../command.ts'

export const start: CommandDefinition = {
  summary: "run the container's own program",
  positionals: ['ID'],
  run([id = ''], _flags, { globals, log }) {
    startContainer({ rootPath: globals.root, id, warn: log.warning })
    return {}
  },
}
