import { createContainer } from '../../engine/create.ts'
import type { CommandDefinition } from '../command.ts'
import { addCreateFlags, readCreateInput } from '../create-input.ts'

export const create: CommandDefinition = {
  summary: 'make a container whose process waits for `start`',
  positionals: ['ID'],
  addFlags(command) {
    // containerd's go-runc may send it; a created container is never in the foreground.
    addCreateFlags(command).option('-d, --detach', 'taken for compatibility, without effect')
  },
  run([id = ''], flags, context) {
    createContainer(readCreateInput(id, { ...flags, detach: true }, context))
    return {}
  },
}
