import { finishStart, startContainer } from '../../engine/start.ts'
import type { CommandDefinition } from '../command.ts'

export const start: CommandDefinition = {
  summary: "run the container's own program",
  positionals: ['ID'],
  run([id = ''], _flags, { globals, architecture, request }) {
    const notifySocket = request.env.get('NOTIFY_SOCKET') || undefined
    finishStart(startContainer(globals.root, id, architecture, notifySocket))
    return {}
  },
}
