import { defaultSpec } from '../../config/default-spec.ts'
import { stringifyJson } from '../../config/stringify-json.ts'
import { createBundleFromHost } from '../../engine/bundle/from-host.ts'
import { UsageError } from '../../errors.ts'
import { type CommandDefinition, isSet } from '../command.ts'
import { hasUnifiedCgroups } from './spec.ts'

const EVERYDAY =
  'bash ls cat echo env id hostname mount umount sleep stat ps ip mkdir rm cp mv touch chmod ln readlink head tail wc grep sed tr cut sort uniq find date df dd du uname true false test kill tty awk'.split(
    ' ',
  )

export const bundleNew: CommandDefinition = {
  summary: 'make a bundle out of programs of this host: bundle new DIR --from-host [CMD…]',
  positionals: ['new', 'DIR', '[CMD…]'],
  addFlags(command) {
    command.option('--from-host', 'copy programs of this host (sh and everyday tools by default)')
  },
  run([verb, directory = '', ...commands], flags) {
    if (verb !== 'new') {
      throw new UsageError(
        `unknown command ${JSON.stringify(`bundle ${verb}`)} (did you mean bundle new?)`,
      )
    }
    if (!isSet(flags, 'fromHost')) {
      throw new UsageError(
        'bundle new needs --from-host: programs of this host are the only source',
      )
    }
    const config = defaultSpec({ rootless: false, unified: hasUnifiedCgroups() })
    const args = [commands[0] ?? 'sh']
    const files = createBundleFromHost({
      directory,
      commands: commands.length > 0 ? commands : ['sh'],
      optional: commands.length > 0 ? [] : EVERYDAY,
      config: `${stringifyJson(
        { ...config, process: { ...config.process, terminal: false, args } },
        2,
      )}\n`,
    })
    return { output: `${directory}: config.json and ${files} files of this host in rootfs\n` }
  },
}
