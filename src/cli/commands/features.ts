import { stringifyJson } from '../../config/stringify-json.ts'
import { describeFeatures } from '../../fields/features.ts'
import { lookAtSeccompFlags } from '../../host/seccomp-flags.ts'
import { COMMIT, SPEC_VERSION, VERSION } from '../../version.ts'
import type { CommandDefinition } from '../command.ts'

export const features: CommandDefinition = {
  summary: 'print what this runtime can do, as JSON',
  positionals: [],
  run() {
    const versions = { spec: SPEC_VERSION, runtime: VERSION, commit: COMMIT }
    return { output: `${stringifyJson(describeFeatures(versions, lookAtSeccompFlags()), 4)}\n` }
  },
}
