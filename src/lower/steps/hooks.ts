import type { RunHook } from '../../plan/steps.ts'
import type { Assembler } from '../assembler.ts'
import { awaitChild, close, text } from '../calls.ts'
import { CLONE, flags, LAST_FD, NULL, SIG, SIG_HOW, ZERO } from '../constants.ts'
import { addMeet, type Context } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import {
  ALL_BITS,
  address,
  immediate,
  type Label,
  load,
  negated,
  type Operand,
  type Slot,
  showList,
  showText,
  slotValue,
} from '../operands.ts'
import {
  CLD_EXITED,
  CLONE_ARGS_AT,
  encodeCloneArgs,
  encodePoll,
  encodeTimespec,
  SIGINFO_AT,
  SIGINFO_SIZE,
} from '../structs.ts'

/** What a hook is run with. */
export interface HookInput {
  /** Its stdin, stdout and stderr. */
  readonly state: Slot
  readonly stdout: Slot
  readonly stderr: Slot
  /** Absent: it stays in the container's. */
  readonly directory?: string
  /** The caller's umask, if ours is another. */
  readonly umask?: Slot
  /** What comes after it runs also if the hook fails. */
  readonly tolerant?: boolean
}

/** A hook inside the container: the runtime makes its files, which hold the container's pid. */
export function lowerInnerHook(context: Context, step: RunHook): void {
  const { asm, callerMask, bundle } = context
  const files = hookSlots(asm)
  const number = addMeet(context, { kind: 'exchange', step })
  asm.meet(number, `files of ${nameHook(step)}`, { fdsInto: Object.values(files) })
  runHook(asm, step, {
    ...files,
    // At start the bundle is out of reach, unless the container mounts it.
    ...(step.hook !== 'startContainer' && { directory: bundle }),
    ...(callerMask !== undefined && { umask: callerMask }),
  })
}

/** In the order of the runtime's answer. */
export function hookSlots(asm: Assembler): Pick<HookInput, 'state' | 'stdout' | 'stderr'> {
  return { state: asm.slot('state'), stdout: asm.slot('stdout'), stderr: asm.slot('stderr') }
}

/** `createRuntime hook #0 (/bin/hook)`. */
export function nameHook(step: RunHook): string {
  const index = step.origin.split('/').at(-1) ?? ''
  return `${step.hook} hook #${index} (${step.path})`
}

/** Clones, executes, waits no longer than the timeout, and fails if the hook does. */
export function runHook(asm: Assembler, step: RunHook, input: HookInput): void {
  const child = asm.label('hook')
  const parent = asm.label('hookstarted')
  const pid = asm.slot('hookpid')
  const args = asm.bytes(encodeCloneArgs(BigInt(CLONE.values.PIDFD)))
  const room = asm.bytes(4)
  const pidfd = load(room, 0, 4, 'hookpidfd')
  asm.relocate(args, CLONE_ARGS_AT.pidfd, room)
  asm.clone(args, '{CLONE_PIDFD}', child, { into: pid })
  asm.jump(parent)
  asm.place(child)
  executeHook(asm, step, input)
  asm.place(parent)
  close(asm, input.state)
  close(asm, input.stdout)
  close(asm, input.stderr)
  awaitHook(asm, step, { pid, pidfd, tolerant: input.tolerant === true })
}

function executeHook(asm: Assembler, step: RunHook, input: HookInput): void {
  const stdin = immediate(0)
  const none = address(asm.bytes(8), '[]')
  asm.call('setsid', [])
  if (input.umask !== undefined) asm.call('umask', [slotValue(input.umask)])
  if (input.directory !== undefined) asm.call('chdir', [text(asm, input.directory)])
  asm.call('dup3', [slotValue(input.state), stdin, ZERO])
  asm.call('dup3', [slotValue(input.stdout), immediate(1), ZERO])
  asm.call('dup3', [slotValue(input.stderr), immediate(2), ZERO])
  asm.call('close_range', [immediate(3), LAST_FD, ZERO])
  asm.call('rt_sigprocmask', [flags(SIG_HOW, 'SETMASK'), none, NULL, immediate(8)])
  const argv = asm.pointers(step.args.map((arg) => asm.string(arg)))
  const envp = asm.pointers(step.env.map((entry) => asm.string(entry)))
  const shown = showList(step.args.map(showText))
  const environment = address(envp, `/* ${step.env.length} vars */`)
  asm.call('execve', [text(asm, step.path), address(argv, shown), environment])
}

interface RunningHook {
  readonly pid: Slot
  readonly pidfd: Operand
  readonly tolerant: boolean
}

function awaitHook(asm: Assembler, step: RunHook, running: RunningHook): void {
  const { pid, pidfd, tolerant } = running
  const late = asm.label('late')
  const done = asm.label('hookdone')
  const killed = asm.label('hookkilled')
  const name = nameHook(step)
  const fail = (code: number, reason: string, errno?: Operand): void => {
    if (tolerant) asm.jump(done)
    else asm.fail(code, reason, errno)
  }
  const poll = asm.bytes(encodePoll())
  const info = asm.bytes(SIGINFO_SIZE)
  const status = load(info, SIGINFO_AT.status, 4, 'info.status')
  asm.store(poll, 0, 4, pidfd, 'poll.fd')
  const ready = asm.slot('ready')
  const patience = step.timeout === undefined ? NULL : timeoutOf(asm, step.timeout)
  const polled = address(poll, '{pidfd, POLLIN}')
  asm.call('ppoll', [polled, immediate(1), patience, NULL, immediate(8)], {
    into: ready,
    on: { EINTR: 'retry' },
  })
  asm.test(slotValue(ready), ALL_BITS, 'eq', 0n, late)
  awaitChild(asm, pidfd, address(info, '&info'))
  const code = load(info, SIGINFO_AT.code, 4, 'info.code')
  asm.test(code, 0xffff_ffffn, 'ne', immediate(CLD_EXITED, 'CLD_EXITED'), killed)
  asm.test(status, 0xffff_ffffn, 'eq', 0n, done)
  fail(FAIL.hookExited, name, status)
  asm.place(killed)
  fail(FAIL.hookKilled, name, status)
  asm.place(late)
  endHook(asm, pid, pidfd, address(info, '&info'))
  fail(FAIL.hookTimedOut, `${name}: ran longer than its timeout of ${step.timeout} s`)
  asm.place(done)
  asm.call('close', [pidfd])
}

function timeoutOf(asm: Assembler, seconds: number): Operand {
  return address(asm.bytes(encodeTimespec(BigInt(seconds) * 1_000_000_000n)), `{${seconds} s}`)
}

/** The whole group, which setsid made; and the process itself if it never came to that. */
function endHook(asm: Assembler, pid: Slot, pidfd: Operand, info: Operand): void {
  const alone: Label = asm.label('alone')
  const kill = flags(SIG, 'KILL')
  asm.call('kill', [negated(pid), kill], { on: { ESRCH: alone } })
  asm.place(alone)
  asm.call('pidfd_send_signal', [pidfd, kill, NULL, ZERO])
  awaitChild(asm, pidfd, info)
}
