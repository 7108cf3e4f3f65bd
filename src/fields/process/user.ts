import type { User } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { Contribution, Field } from '../field.ts'

export const user: Field<User> = { plan: planUser, absent: (at) => planUser({}, at) }

const DEFAULT_UMASK = 0o022

/** `username` is for Windows: a number is never looked up as a name (CVE-2016-3697). */
function planUser(configured: User, origin: Pointer): Contribution {
  const { uid = 0, gid = 0, additionalGids = [], umask = DEFAULT_UMASK } = configured
  return {
    steps: [
      { kind: 'own-stdio', phase: 'stdio', origin, uid, gid },
      { kind: 'set-user', phase: 'identity', origin, uid, gid, additionalGids },
      { kind: 'set-umask', phase: 'identity', origin, mask: umask & 0o777 },
    ],
  }
}
