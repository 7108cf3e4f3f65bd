/** What a process is to the scheduler, to memory management and to the security modules. */
import type {
  SetExecLabel,
  SetIoPriority,
  SetMemoryPolicy,
  SetPersonality,
  SetScheduler,
} from '../../plan/steps.ts'
import {
  either,
  flags,
  IOPRIO_CLASS,
  IOPRIO_WHO,
  MPOL,
  MPOL_F,
  NULL,
  PER,
  SCHED,
  SCHED_FLAG,
  ZERO,
} from '../constants.ts'
import type { Context } from '../context.ts'
import { address, immediate, showList } from '../operands.ts'
import { releaseProcfs, writeProcfs } from '../procfs.ts'
import { encodeNodes, encodeScheduler } from '../structs.ts'

export function lowerScheduler({ asm }: Context, step: SetScheduler): void {
  const { nice, priority, runtime, deadline, period } = step
  const policy = flags(SCHED, step.policy)
  const how = flags(SCHED_FLAG, ...step.flags)
  const struct = asm.bytes(
    encodeScheduler({
      policy: Number(policy.value),
      flags: how.value,
      nice,
      priority,
      times: [runtime, deadline, period],
    }),
  )
  const numbers = Object.entries({ nice, priority, runtime, deadline, period })
  const shown = [
    policy.show,
    ...(step.flags.length > 0 ? [how.show] : []),
    ...numbers.filter(([, value]) => BigInt(value) !== 0n).map((pair) => pair.join(' ')),
  ]
  asm.call('sched_setattr', [ZERO, address(struct, `{${shown.join(', ')}}`), ZERO])
}

export function lowerIoPriority({ asm }: Context, step: SetIoPriority): void {
  const what = either(flags(IOPRIO_CLASS, step.class), immediate(step.priority))
  asm.call('ioprio_set', [flags(IOPRIO_WHO, 'PROCESS'), ZERO, what])
}

export function lowerPersonality({ asm }: Context, step: SetPersonality): void {
  asm.call('personality', [flags(PER, step.domain)])
}

export function lowerMemoryPolicy({ asm }: Context, step: SetMemoryPolicy): void {
  const mode = either(flags(MPOL, step.mode), flags(MPOL_F, ...step.flags))
  const shown = mode.value === 0n ? flags(MPOL, step.mode) : mode
  const mask = encodeNodes(step.nodes)
  const nodes =
    step.nodes.length === 0 ? NULL : address(asm.bytes(mask), showList(step.nodes.map(String)))
  // The kernel takes one bit less than it is told.
  asm.call('set_mempolicy', [shown, nodes, immediate(mask.length === 0 ? 0 : mask.length * 8 + 1)])
}

/** Written by the process itself, through a file that is proved to be procfs (CVE-2019-16884). */
export function lowerExecLabel(context: Context, step: SetExecLabel): void {
  if (step.system === 'selinux') writeProcfs(context, 'thread-self/attr/exec', step.label)
  else {
    const write = 'is the profile loaded?'
    writeProcfs(context, 'thread-self/attr/apparmor/exec', `exec ${step.label}`, { write })
  }
  releaseProcfs(context)
}
