import { SECCOMP_FLAGS } from '../config/seccomp-names.ts'
import type { SeccompFlag } from '../config/spec.ts'
import { callKernel } from '../sys/ffi.ts'

const SECCOMP_SET_MODE_FILTER = 1
const NEW_LISTENER = 8

const BIT: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  // It is about listeners: refused without one.
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32 | NEW_LISTENER,
}

/** Flags that this kernel takes: it looks at them before it looks at the filter, here NULL. */
export function lookAtSeccompFlags(): readonly SeccompFlag[] {
  const refused = ['EINVAL', 'EFAULT', 'ENOSYS', 'EACCES']
  return SECCOMP_FLAGS.filter((flag) => {
    const args = [SECCOMP_SET_MODE_FILTER, BIT[flag], 0]
    return callKernel('seccomp', args, `seccomp(${flag})`, refused) === -EFAULT
  })
}

const EFAULT = 14
