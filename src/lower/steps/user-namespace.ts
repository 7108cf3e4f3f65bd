/** What a process does on its way into a user or a time namespace. */
import type {
  BecomeRoot,
  SetDumpable,
  UnshareTimeNamespace,
  UnshareUserNamespace,
} from '../../plan/steps.ts'
import { control } from '../calls.ts'
import { CLONE, flags, NULL, PR, ZERO } from '../constants.ts'
import type { Context } from '../context.ts'
import { immediate } from '../operands.ts'

/** Every program begins undumpable: native-shims/executor.c. */
export function lowerSetDumpable({ asm }: Context, step: SetDumpable): void {
  control(asm, flags(PR, 'SET_DUMPABLE'), immediate(step.dumpable ? 1 : 0))
}

export function lowerUnshareUser({ asm }: Context, _step: UnshareUserNamespace): void {
  asm.call('unshare', [flags(CLONE, 'NEWUSER')])
}

export function lowerUnshareTime({ asm }: Context, _step: UnshareTimeNamespace): void {
  asm.call('unshare', [flags(CLONE, 'NEWTIME')])
}

/**
 * All capabilities in the namespace stay: they are lost by a change from uid 0 to another only. A
 * namespace that is joined may not have these ids, or deny setgroups(2): then the process stays who
 * it is.
 */
export function lowerBecomeRoot({ asm }: Context, { uid, gid, keepsGroups }: BecomeRoot): void {
  const uids = immediate(uid)
  const gids = immediate(gid)
  const setGid = asm.label('setgid')
  const setUid = asm.label('setuid')
  const done = asm.label('root')
  if (!keepsGroups) asm.call('setgroups', [ZERO, NULL], { on: { EPERM: setGid } })
  asm.place(setGid)
  asm.call('setresgid', [gids, gids, gids], { on: { EINVAL: setUid } })
  asm.place(setUid)
  asm.call('setresuid', [uids, uids, uids], { on: { EINVAL: done } })
  asm.place(done)
  // A change of ids makes a process as dumpable as fs.suid_dumpable says.
  control(asm, flags(PR, 'SET_DUMPABLE'), ZERO)
}
