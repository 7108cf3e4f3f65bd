import { pauseContainer } from '../../engine/pause.ts'
import type { CommandDefinition } from '../command.ts'

export const pause: CommandDefinition = {
  summary: 'stop all processes of a container until `resume`',
  positionals: ['ID'],
  run([id = ''], _flags, { globals }) {
    pauseContainer(globals.root, id)
    return {}
  },
}
