import { stringifyJson } from '../../config/stringify-json.ts'
import { type ContainerEvent, readContainerStatistics, streamEvents } from '../../engine/events.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'
import { parseDuration } from '../durations.ts'
import { forEachContainer } from '../matching.ts'

export const events: CommandDefinition = {
  summary: 'print what containers use, and when one is out of memory, as JSON lines',
  positionals: ['ID…'],
  addFlags(command) {
    command
      .option('--interval <duration>', 'how often', '5s')
      .option('--stats', 'once, now; no OOM kills')
  },
  lasts: (flags) => !isSet(flags, 'stats'),
  run(ids, flags, { globals, print }) {
    const interval = parseDuration('--interval', textFlag(flags, 'interval') ?? '')
    const tell = (event: ContainerEvent) => print(`${stringifyJson(event)}\n`)
    if (isSet(flags, 'stats')) {
      forEachContainer(ids, (id) => {
        tell(readContainerStatistics(globals.root, id))
      })
    } else {
      streamEvents(globals.root, ids, interval, tell)
    }
    return {}
  },
}
