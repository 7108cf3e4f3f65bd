import type { User } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { isSetgroupsDenied, keepsGroups, userNamespaceOf } from '../linux/user-namespace.ts'

export const user: Field<User> = {
  plan: planUser,
  absent: (at, planning) => planUser({}, at, planning),
}

const DEFAULT_UMASK = 0o022

/** `username` is for Windows: a number is never looked up as a name (CVE-2016-3697). */
function planUser(configured: User, origin: Pointer, planning: Planning): Contribution {
  const { uid = 0, gid = 0, additionalGids = [], umask = DEFAULT_UMASK } = configured
  const isDenied = isSetgroupsDenied(planning)
  if (isDenied && additionalGids.length > 0) {
    const pointer = `${origin}/additionalGids`
    const expected = 'no groups: setgroups(2) is denied where ids are mapped without privileges'
    return { issues: [{ pointer, expected, found: JSON.stringify(additionalGids) }] }
  }
  // Of a joined namespace's root none is left, unless the namespace denies that.
  const isJoined = userNamespaceOf(planning) === 'joined' && additionalGids.length === 0
  const isKept = isDenied || isJoined || keepsGroups(planning)
  const groups = isKept ? {} : { additionalGids }
  return {
    steps: [
      { kind: 'own-stdio', phase: 'stdio', origin, uid, gid },
      { kind: 'set-user', phase: 'identity', origin, uid, gid, ...groups },
      { kind: 'set-umask', phase: 'identity', origin, mask: umask & 0o777 },
    ],
  }
}
