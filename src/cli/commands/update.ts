import { checkResources, loadResources } from '../../config/load.ts'
import { updateContainer } from '../../engine/update.ts'
import { type Issue, SpecError } from '../../errors.ts'
import { type CommandDefinition, textFlag } from '../command.ts'
import { prepareUpdate } from '../prepare-update.ts'
import {
  addResourceFlags,
  mergeResources,
  readResourceFlags,
  readSchemataFlags,
} from '../resource-flags.ts'

export const update: CommandDefinition = {
  summary: 'change the limits of a container; what is not named stays as it is',
  positionals: ['ID'],
  addFlags(command) {
    addResourceFlags(command)
  },
  run([id = ''], flags, { globals, request, log }) {
    const asked = readResourceFlags(flags)
    const lines = readSchemataFlags(flags)
    const file = textFlag(flags, 'resources')
    const loaded = file ? loadResources(file) : undefined
    for (const line of loaded?.ignored ?? []) log.debug(line)
    const resources = mergeResources(loaded?.resources ?? {}, asked)
    const refuse =
      loaded?.refuse ?? ((issues: readonly Issue[]) => new SpecError('the new limits', issues))
    const issues = checkResources(resources)
    if (issues.length > 0) throw refuse(issues)
    const warnings: string[] = []
    updateContainer(globals.root, id, (record, readConfig) => {
      try {
        const rdt =
          lines.length === 0 ? undefined : { lines, configured: readConfig().spec.linux?.intelRdt }
        const plan = prepareUpdate(resources, record, request, rdt)
        warnings.push(...plan.warnings)
        return plan
      } catch (error) {
        throw error instanceof SpecError ? refuse(error.issues) : error
      }
    })
    for (const warning of [...(loaded?.warnings ?? []), ...warnings]) log.warning(warning)
    return {}
  },
}
