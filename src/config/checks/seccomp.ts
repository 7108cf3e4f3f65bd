/** Rules for /linux/seccomp. */
import type { Issue, Pointer } from '../../errors.ts'
import { findListener } from '../seccomp-listener.ts'
import type { Seccomp, SeccompAction, Spec } from '../spec.ts'
import { type Check, checkRange } from './check.ts'

const AT = '/linux/seccomp'
const NOTIFY: SeccompAction = 'SCMP_ACT_NOTIFY'

/**
 * The runtime hands the notification fd to the agent after the filter is loaded. If every call, or
 * write, waits for that agent, it never gets there.
 */
function checkNotify(spec: Spec): Issue[] {
  const seccomp = spec.linux?.seccomp
  if (seccomp === undefined) return []
  const issues: Issue[] = []
  if (seccomp.defaultAction === NOTIFY) {
    const expected = 'an action that waits for nobody'
    issues.push({ pointer: `${AT}/defaultAction`, expected, found: NOTIFY })
  }
  for (const [index, { names, action }] of (seccomp.syscalls ?? []).entries()) {
    if (action !== NOTIFY || !names.includes('write')) continue
    const pointer = `${AT}/syscalls/${index}/action`
    issues.push({ pointer, expected: 'an action for write that waits for nobody', found: NOTIFY })
  }
  return [...issues, ...checkListener(seccomp, findListener(spec))]
}

function checkListener(
  { listenerMetadata, syscalls }: Seccomp,
  { path, pointer }: ReturnType<typeof findListener>,
): Issue[] {
  if (path === '') {
    const isNeeded = syscalls?.some(({ action }) => action === NOTIFY) ?? false
    const user = isNeeded ? NOTIFY : (listenerMetadata ?? '') === '' ? '' : 'listenerMetadata'
    return user === ''
      ? []
      : [{ pointer, expected: `the agent's socket, for ${user} is there`, found: 'nothing' }]
  }
  return path.startsWith('/') ? [] : [{ pointer, expected: 'an absolute path', found: path }]
}

/** SECCOMP_RET_DATA is cut to this by the kernel. */
const MAX_ERRNO = 4095

function checkErrnos({ linux }: Spec): Issue[] {
  const seccomp = linux?.seccomp
  if (seccomp === undefined) return []
  const { defaultAction, defaultErrnoRet, syscalls } = seccomp
  return [
    ...checkErrno(defaultErrnoRet, defaultAction, `${AT}/defaultErrnoRet`),
    ...(syscalls ?? []).flatMap(({ errnoRet, action }, index) =>
      checkErrno(errnoRet, action, `${AT}/syscalls/${index}/errnoRet`),
    ),
  ]
}

function checkErrno(errno: number | undefined, action: SeccompAction, pointer: Pointer): Issue[] {
  if (errno === undefined) return []
  if (action === 'SCMP_ACT_ERRNO') return checkRange(errno, pointer, 0, MAX_ERRNO)
  if (action === 'SCMP_ACT_TRACE') return checkRange(errno, pointer, 0, 0xffff)
  return [{ pointer, expected: 'no errno, for the action returns none', found: action }]
}

function checkArguments({ linux }: Spec): Issue[] {
  return (linux?.seccomp?.syscalls ?? []).flatMap(({ args }, rule) =>
    (args ?? []).flatMap(({ index }, number) =>
      checkRange(index, `${AT}/syscalls/${rule}/args/${number}/index`, 0, 5),
    ),
  )
}

export const seccompChecks: readonly Check[] = [
  { name: 'seccomp notify', reads: [AT, '/annotations'], run: checkNotify },
  { name: 'seccomp errno', reads: [AT], run: checkErrnos },
  { name: 'seccomp arguments', reads: [AT], run: checkArguments },
]
