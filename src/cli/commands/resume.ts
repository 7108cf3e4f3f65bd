import { resumeContainer } from '../../engine/pause.ts'
import type { CommandDefinition } from '../command.ts'

export const resume: CommandDefinition = {
  summary: 'let the processes of a paused container go on',
  positionals: ['ID'],
  run([id = ''], _flags, { globals }) {
    resumeContainer(globals.root, id)
    return {}
  },
}
