/** How a further process gets into a running container. */
import type { CloneProcess, JoinContainer, SetAffinity } from '../../plan/steps.ts'
import { awaitChild, control, open, text } from '../calls.ts'
import { CLONE, flags, NULL, PR, ZERO } from '../constants.ts'
import { addMeet, type Context, failure, isNeededLater } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import {
  address,
  type DataRef,
  immediate,
  type Label,
  load,
  type Slot,
  slotValue,
} from '../operands.ts'
import { mountProcfs } from '../procfs.ts'
import { CLONE_ARGS_AT, encodeCloneArgs, encodeCpuMask } from '../structs.ts'
import { NAMESPACE } from './namespaces.ts'

/** By pidfd: all at once, and never those of another process that got the pid since. */
export function lowerJoinContainer(context: Context, step: JoinContainer): void {
  const { asm } = context
  // Inside, a procfs may be refused: where others are masked, or the user namespace is another.
  if (step.phase === 'namespaces' && isNeededLater(context, 'set-exec-label')) mountProcfs(context)
  const root = step.root === undefined ? undefined : openRootOfInit(context, step.root)
  if (step.namespaces.length > 0) {
    const what = flags(CLONE, ...step.namespaces.map((name) => NAMESPACE[name]))
    // A user's executor may be dumpable, and those inside must not trace it (CVE-2016-9962).
    control(asm, flags(PR, 'SET_DUMPABLE'), ZERO)
    asm.call('setns', [asm.given('container'), what], { on: { ESRCH: justEnded(context) } })
  }
  if (step.phase === 'stage') return
  // What the kernel takes for a change of identity makes it as dumpable as fs.suid_dumpable says.
  if (step.namespaces.includes('user')) control(asm, flags(PR, 'SET_DUMPABLE'), ZERO)
  if (root !== undefined) {
    asm.call('fchdir', [slotValue(root)])
    asm.call('chroot', [text(asm, '.')])
  }
  context.root = root ?? asm.slot('root', '/')
  if (root === undefined) open(asm, '/', DIRECTORY, { into: context.root })
}

const DIRECTORY = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const

/** By its pid, through the runtime's procfs: who is still there was there when it was opened. */
function openRootOfInit(context: Context, path: string): Slot {
  const { asm } = context
  const root = asm.slot('root', path)
  const gone = justEnded(context)
  open(asm, path, DIRECTORY, { into: root, on: { ENOENT: gone, ESRCH: gone } })
  asm.call('pidfd_send_signal', [asm.given('container'), ZERO, NULL, ZERO], { on: { ESRCH: gone } })
  return root
}

function justEnded(context: Context): Label {
  return failure(context, FAIL.refused, 'cannot exec in a stopped container: it just ended')
}

interface Birth {
  readonly pid: Slot
  /** Room for its pidfd. */
  readonly pidfd: DataRef
  readonly child: Label
}

/** The stage process makes it and tells the runtime of it; the child goes on. */
export function lowerCloneProcess(context: Context, step: CloneProcess): void {
  const { asm } = context
  const { intoCgroup, otherwiseCgroup } = step
  const birth = { pid: asm.slot('pid'), pidfd: asm.bytes(4), child: asm.label('process') }
  if (otherwiseCgroup === undefined) cloneInto(context, intoCgroup, birth)
  else {
    const busy = asm.label('busy')
    const cloned = asm.label('cloned')
    cloneInto(context, intoCgroup, birth, busy)
    asm.jump(cloned)
    asm.place(busy)
    cloneInto(context, otherwiseCgroup, birth)
    asm.place(cloned)
  }
  const pidfd = load(birth.pidfd, 0, 4, 'pidfd')
  asm.post(addMeet(context, { kind: 'cloned' }), 'the process is there', {
    values: [slotValue(birth.pid)],
    fds: [pidfd],
  })
  if (step.awaited) awaitChild(asm, pidfd, NULL)
  asm.call('exit_group', [ZERO])
  asm.place(birth.child)
}

function cloneInto(
  { asm }: Context,
  path: string | undefined,
  { pid, pidfd, child }: Birth,
  busy?: Label,
): void {
  const what = flags(CLONE, 'PIDFD', ...(path === undefined ? [] : (['INTO_CGROUP'] as const)))
  const args = asm.bytes(encodeCloneArgs(what.value))
  asm.relocate(args, CLONE_ARGS_AT.pidfd, pidfd)
  if (path !== undefined) {
    const cgroup = asm.slot('cgroup', path)
    open(asm, path, ['PATH', 'DIRECTORY', 'CLOEXEC'], { into: cgroup })
    asm.store(args, CLONE_ARGS_AT.cgroup, 8, slotValue(cgroup), 'args.cgroup')
  }
  asm.clone(args, `{${what.show}}`, child, { into: pid, ...(busy && { on: { EBUSY: busy } }) })
}

export function lowerAffinity({ asm }: Context, step: SetAffinity): void {
  const mask = encodeCpuMask(step.cpus)
  const shown = address(asm.bytes(mask), `{${step.cpus.length} CPUs}`)
  asm.call('sched_setaffinity', [ZERO, immediate(mask.length), shown])
}
