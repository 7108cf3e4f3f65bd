import { stringifyJson } from '../../config/stringify-json.ts'
import { UsageError } from '../../errors.ts'
import type { CgroupHierarchy, Facts } from '../../host/facts.ts'
import { printListing } from '../../lower/print.ts'
import { printPlan } from '../../plan/print.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'
import { addCreateFlags, readConfigFlag, readOptions } from '../create-input.ts'
import { prepareCreate } from '../prepare.ts'

export const plan: CommandDefinition = {
  summary: 'print what `create` and `start` would do; needs no root and touches nothing',
  positionals: ['[ID]'],
  addFlags(command) {
    addCreateFlags(command)
      .option('--format <text|json>', 'how to print it', 'text')
      .option('--syscalls', 'the system calls of each step as well')
  },
  run([id = 'ID'], flags, context) {
    const format = textFlag(flags, 'format')
    if (format !== 'text' && format !== 'json') {
      throw new UsageError(`--format must be text or json, found ${JSON.stringify(format)}`)
    }
    const prepared = prepareCreate(
      // With a terminal as with none: whether somebody will take it is for `create` to ask.
      readOptions(id, { ...flags, detach: flags.consoleSocket !== undefined }, context),
      context.request,
      { adjust: asRoot, ...readConfigFlag(flags) },
    )
    const { warnings, plan, lowered } = prepared
    const { listing } = lowered.program
    if (format === 'json') {
      const calls = listing.map(({ op, text, step }) => ({
        op,
        text,
        step: plan.steps.indexOf(step),
      }))
      const document = { warnings, steps: plan.steps, ...(isSet(flags, 'syscalls') && { calls }) }
      return { output: `${stringifyJson(document, 2)}\n` }
    }
    for (const warning of warnings) context.log.warning(warning)
    return { output: isSet(flags, 'syscalls') ? printListing(lowered.program) : printPlan(plan) }
  },
}

/** Who only looks needs no root, but the plan is what root would do: with all that may be had. */
function asRoot(facts: Facts): Facts {
  const { mode, v1, v2 } = facts.cgroup
  const cgroup = { mode, v1: v1.map(asOpen), ...(v2 && { v2: asOpen(v2) }) }
  return { ...facts, uid: 0, gid: 0, permittedCapabilities: facts.boundingCapabilities, cgroup }
}

function asOpen({ mountpoint, controllers }: CgroupHierarchy): CgroupHierarchy {
  return { mountpoint, controllers }
}
