import type {
  LimitBoundingSet,
  NoNewPrivileges,
  SetCapabilities,
  SetLimit,
  SetUmask,
  SetUser,
} from '../../plan/steps.ts'
import { control } from '../calls.ts'
import { flags, NULL, PR, PR_CAP_AMBIENT, RLIMIT, ZERO } from '../constants.ts'
import type { Context } from '../context.ts'
import { address, immediate, showList, slotValue } from '../operands.ts'
import { encodeCapabilityData, encodeCapabilityHeader, encodeIds, encodeLimit } from '../structs.ts'

const ONE = immediate(1)

export function lowerUmask({ asm }: Context, step: SetUmask): void {
  asm.call('umask', [immediate(step.mask, `0${step.mask.toString(8)}`)])
}

export function lowerLimit({ asm }: Context, step: SetLimit): void {
  const name = Object.keys(RLIMIT.values).find((known) => known === step.type)
  if (name === undefined) throw new Error(`lowering: unknown limit ${step.type}`)
  const struct = asm.bytes(encodeLimit(step.soft, step.hard))
  const resource = flags(RLIMIT, name as keyof typeof RLIMIT.values)
  const shown = address(struct, `{${showLimit(step.soft)}, ${showLimit(step.hard)}}`)
  asm.call('prlimit64', [ZERO, resource, shown, NULL])
}

function showLimit(value: bigint): string {
  return value === 0xffff_ffff_ffff_ffffn ? 'RLIM_INFINITY' : value.toString()
}

export function lowerNoNewPrivileges({ asm }: Context, _step: NoNewPrivileges): void {
  control(asm, flags(PR, 'SET_NO_NEW_PRIVS'), ONE)
}

export function lowerBoundingSet({ asm }: Context, step: LimitBoundingSet): void {
  for (const capability of step.drop) {
    control(asm, flags(PR, 'CAPBSET_DROP'), immediate(capability))
  }
}

export function lowerUser(context: Context, step: SetUser): void {
  const { asm } = context
  const { uid, gid, additionalGids } = step
  if (context.callerMask !== undefined && !context.steps.some(({ kind }) => kind === 'set-umask')) {
    asm.call('umask', [slotValue(context.callerMask)])
  }
  if (additionalGids !== undefined) {
    const shown = showList(additionalGids.map(String))
    const groups = address(asm.bytes(encodeIds(additionalGids), 4), shown)
    asm.call('setgroups', [immediate(additionalGids.length), groups])
  }
  asm.call('setresgid', [immediate(gid), immediate(gid), immediate(gid)])
  // What the container shall keep is decided by capset, not by the change of uid.
  if (uid !== 0) control(asm, flags(PR, 'SET_KEEPCAPS'), ONE)
  asm.call('setresuid', [immediate(uid), immediate(uid), immediate(uid)])
  // A change of ids makes a process as dumpable as fs.suid_dumpable says.
  control(asm, flags(PR, 'SET_DUMPABLE'), ZERO)
}

export function lowerCapabilities({ asm }: Context, step: SetCapabilities): void {
  const { effective, permitted, inheritable, ambient } = step
  const header = asm.bytes(encodeCapabilityHeader())
  const data = asm.bytes(encodeCapabilityData(effective, permitted, inheritable))
  const shown = [effective, permitted, inheritable].map((set) => `0x${set.toString(16)}`)
  asm.call('capset', [address(header, '{v3, 0}'), address(data, `{${shown.join(', ')}}`)])
  if (ambient === undefined) return
  control(asm, flags(PR, 'CAP_AMBIENT'), flags(PR_CAP_AMBIENT, 'CLEAR_ALL'))
  for (const capability of ambient) {
    control(asm, flags(PR, 'CAP_AMBIENT'), flags(PR_CAP_AMBIENT, 'RAISE'), immediate(capability))
  }
}
