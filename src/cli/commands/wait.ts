import { waitForContainer } from '../../engine/wait.ts'
import type { CommandDefinition } from '../command.ts'

/** Not one of what `wait` itself may end with. */
const STATUS_UNKNOWN = 125

export const wait: CommandDefinition = {
  summary: "wait for the end of a container's process and print its exit status",
  positionals: ['ID'],
  lasts: () => true,
  run([id = ''], _flags, { globals }) {
    const status = waitForContainer(globals.root, id)
    if (status !== undefined) return { output: `${status}\n` }
    return {
      exitCode: STATUS_UNKNOWN,
      failure:
        'the container has ended, its exit status went to who reaped it and is not known here' +
        ' (hint: wait before it ends, on Linux 6.15 or later, or use run in the foreground)',
    }
  },
}
