import { loadMounts } from '../../config/load.ts'
import { openExecTarget } from '../../engine/exec-target.ts'
import { changeMounts } from '../../engine/mounts.ts'
import { UsageError } from '../../errors.ts'
import type { CommandDefinition } from '../command.ts'
import { prepareMounts } from '../prepare-mounts.ts'

export const mounts: CommandDefinition = {
  summary: 'mount or unmount in a running container what FILE has in an array `mounts`; - is stdin',
  positionals: ['add|remove', 'ID', 'FILE'],
  run([verb, id = '', file = ''], _flags, { globals, request, log, architecture }) {
    if (verb !== 'add' && verb !== 'remove') {
      throw new UsageError(`mounts takes add or remove, found ${JSON.stringify(verb)}`)
    }
    using target = openExecTarget(globals.root, id, true, 'mount')
    const loaded = loadMounts(file)
    const { lowered, order, warnings } = prepareMounts(verb, loaded, target, request)
    for (const line of loaded.ignored) log.debug(line)
    for (const warning of [...loaded.warnings, ...warnings]) log.warning(warning)
    changeMounts({ target, lowered, order, architecture })
    return {}
  },
}
