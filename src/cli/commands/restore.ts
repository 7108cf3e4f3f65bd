import { UsageError } from '../../errors.ts'
import { addImageFlags } from '../checkpoint-flags.ts'
import type { CommandDefinition } from '../command.ts'

export const restore: CommandDefinition = {
  summary: 'bring a container back from an image (not supported yet)',
  positionals: ['ID'],
  addFlags(command) {
    addImageFlags(command)
      .option('-b, --bundle <dir>', 'directory with config.json', '.')
      .option('-d, --detach', 'return as soon as the program runs')
      .option('--console-socket <path>', 'unix socket that takes the terminal')
      .option('--pid-file <file>', "write the pid of the container's process here")
      .option('--no-pivot', 'move the root instead of pivot_root (for an initramfs)')
      .option('--no-subreaper', 'taken for compatibility, without effect')
      .option('--tcp-close', 'close TCP connections that were open')
      .option('--lsm-profile <type:name>', 'the AppArmor profile or SELinux label from now on')
      .option('--lsm-mount-context <context>', 'the SELinux label of mounts from now on')
  },
  run() {
    throw new UsageError('restore is not supported yet')
  },
}
