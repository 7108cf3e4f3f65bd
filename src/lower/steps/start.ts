import type { ArrangeDescriptors, LoadSeccomp, WaitForStart } from '../../plan/steps.ts'
import { CLOSE_RANGE, FCNTL, flags, LAST_FD, SECCOMP, SECCOMP_FLAG, ZERO } from '../constants.ts'
import { addMeet, type Context } from '../context.ts'
import { address, immediate, slotValue } from '../operands.ts'
import { placeFilter } from '../structs.ts'

/** The runtime that created has gone; whoever starts becomes the control socket. */
export function lowerWaitForStart({ asm }: Context, _step: WaitForStart): void {
  const listening = asm.given('start-socket')
  asm.wait(listening)
  asm.call('close', [listening])
}

/** Ascending, so that no target is a source that is still to come: those are given from 6 on. */
export function lowerArrangeDescriptors({ asm }: Context, step: ArrangeDescriptors): void {
  const end = immediate(3 + step.preserved)
  if (step.preserved > 0) {
    // `start` sees by its end that execve succeeded: it must not be overwritten.
    const control = slotValue(asm.control)
    asm.call('fcntl', [control, flags(FCNTL, 'DUPFD_CLOEXEC'), end], { into: asm.control })
  }
  for (let i = 0; i < step.preserved; i++) {
    asm.call('dup3', [asm.given(`preserved-${i}`), immediate(3 + i), ZERO])
  }
  asm.call('close_range', [end, LAST_FD, flags(CLOSE_RANGE, 'CLOEXEC')])
}

/** The listener goes to the runtime, which hands it on; here execve closes it. */
export function lowerSeccomp(context: Context, step: LoadSeccomp): void {
  const { asm } = context
  const filter = Buffer.from(step.filter, 'base64')
  const known = Object.keys(SECCOMP_FLAG.values) as (keyof typeof SECCOMP_FLAG.values)[]
  const names = step.flags.map((flag) => {
    const name = known.find((candidate) => candidate === flag)
    if (name === undefined) throw new Error(`lowering: unknown seccomp flag ${flag}`)
    return name
  })
  const program = address(placeFilter(asm, filter), `{${filter.length / 8} instructions}`)
  const how = flags(SECCOMP_FLAG, ...names)
  const operands = [flags(SECCOMP, 'SET_MODE_FILTER'), how, program]
  if (step.listener === undefined) {
    asm.call('seccomp', operands)
    return
  }
  const listener = asm.slot('listener')
  asm.call('seccomp', operands, { into: listener })
  asm.meet(addMeet(context, { kind: 'exchange', step }), 'listener for the agent', {
    fds: [slotValue(listener)],
  })
}
