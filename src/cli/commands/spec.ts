import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultSpec } from '../../config/default-spec.ts'
import { stringifyJson } from '../../config/stringify-json.ts'
import { UsageError } from '../../errors.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'

export const spec: CommandDefinition = {
  summary: 'write a default config.json',
  positionals: [],
  addFlags(command) {
    command
      .option('-b, --bundle <dir>', 'directory to write it to', '.')
      .option('-f, --file <file>', 'write to this file, in place of config.json of --bundle')
      .option('--rootless', 'for a container without root')
  },
  run(_positionals, flags) {
    const name = textFlag(flags, 'file')
    const file = name ?? join(textFlag(flags, 'bundle') ?? '.', 'config.json')
    const config = defaultSpec({
      rootless: isSet(flags, 'rootless'),
      unified: hasUnifiedCgroups(),
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    })
    try {
      writeFileSync(file, `${stringifyJson(config, '\t')}\n`, { flag: 'wx', mode: 0o666 })
    } catch (error) {
      if (!existsSync(file)) throw error
      throw new UsageError(`File ${name ?? 'config.json'} exists. Remove it first`)
    }
    return {}
  },
}

export function hasUnifiedCgroups(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers')
}
