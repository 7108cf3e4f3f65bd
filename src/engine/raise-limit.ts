/** A hard limit of another process, prlimit64(2). */
import { SyscallError } from '../errors.ts'
import { RLIMIT } from '../lower/constants.ts'
import { encodeLimit } from '../lower/structs.ts'
import type { RaiseLimit } from '../plan/steps.ts'
import { callKernel } from '../sys/ffi.ts'
import { findHint } from './hints.ts'

/** Above the present one only with CAP_SYS_RESOURCE of the machine, which a container never has. */
export function raiseLimit(pid: number, { type, soft, hard }: RaiseLimit): void {
  const number = Object.entries(RLIMIT.values).find(([name]) => name === type)?.[1]
  if (number === undefined) throw new Error(`unknown limit ${type}: a bug in tsrunc`)
  const call = `prlimit64(${pid}, ${type}, {${soft}, ${hard}})`
  const args = [pid, number, encodeLimit(soft, hard), 0]
  if (callKernel('prlimit64', args, call, ['EPERM']) === 0) return
  throw new SyscallError('prlimit64', call, 'EPERM', findHint('prlimit64', 'EPERM'))
}
