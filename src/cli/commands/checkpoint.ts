import { UsageError } from '../../errors.ts'
import { addImageFlags } from '../checkpoint-flags.ts'
import type { CommandDefinition } from '../command.ts'

export const checkpoint: CommandDefinition = {
  summary: 'freeze a container into an image (not supported yet)',
  positionals: ['ID'],
  addFlags(command) {
    addImageFlags(command)
      .option('--leave-running', 'do not end the container')
      .option('--pre-dump', 'only its memory, for a later --parent-path')
      .option('--page-server <address:port>', 'send memory to a page server')
      .option('--status-fd <n>', 'write a byte here when --lazy-pages is ready')
  },
  run() {
    throw new UsageError('checkpoint is not supported yet')
  },
}
