import { runContainer } from '../../engine/run.ts'
import { type CommandDefinition, isSet } from '../command.ts'
import { addCreateFlags, readCreateInput } from '../create-input.ts'

export const run: CommandDefinition = {
  summary: 'create and start a container, wait for its end and remove it',
  positionals: ['ID'],
  addFlags(command) {
    addCreateFlags(command)
      .option('-d, --detach', 'return as soon as the program runs')
      .option('--keep', 'do not remove the container when it ends')
      .option('--no-subreaper', 'taken for compatibility, without effect')
  },
  run([id = ''], flags, context) {
    const { supervisor, env } = context.request
    const notifySocket = env.get('NOTIFY_SOCKET')
    runContainer({
      ...readCreateInput(id, flags, context),
      detach: isSet(flags, 'detach'),
      keep: isSet(flags, 'keep'),
      ...(supervisor !== undefined && { supervisor }),
      ...(notifySocket && { notifySocket }),
      succeeded: context.flushLog,
    })
    return {}
  },
}
