import type { Seccomp, SeccompFlag } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { LoadSeccomp } from '../../plan/steps.ts'
import { SYSCALL } from '../../sys/syscall-numbers.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { needsFinalCapset } from '../process/capabilities.ts'
import { notYet } from '../walk.ts'
import { AUDIT_ARCHITECTURE, evaluateFilter, VERDICT } from './seccomp-evaluate.ts'

/** The profile itself is compiled by libseccomp, while facts are gathered. */
export const seccomp: Field<Seccomp> = { plan: planSeccomp }

function planSeccomp(profile: Seccomp, at: Pointer, planning: Planning): Contribution {
  const later = refuseNotify(profile, at)
  if (later.length > 0) return { issues: later }
  const compiled = planning.facts.seccomp
  if (compiled === undefined) {
    const message = `${at}: the profile was not compiled: libseccomp is missing on this host`
    return { issues: [{ pointer: at, expected: 'a host with libseccomp', message }] }
  }
  const issues = findDeniedCalls(profile, at, Buffer.from(compiled.filter, 'base64'), planning)
  if (issues.length > 0) return { issues }
  const flags = kernelFlags(profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'])
  const step: LoadSeccomp = {
    kind: 'load-seccomp',
    phase: 'seccomp',
    origin: at,
    filter: compiled.filter,
    flags,
  }
  return { steps: [step] }
}

function refuseNotify(profile: Seccomp, at: Pointer): Issue[] {
  const rules = profile.syscalls ?? []
  return rules.flatMap(({ action }, index) =>
    action === 'SCMP_ACT_NOTIFY' ? [notYet(`${at}/syscalls/${index}/action`, action)] : [],
  )
}

/**
 * No flags at all means SPEC_ALLOW, as in runc: the mitigation that it leaves off costs everyone
 * speed and protects only programs that run foreign code in-process. TSYNC is for threads, and
 * the container's process has one; WAIT_KILLABLE_RECV is refused without a listener.
 */
function kernelFlags(flags: readonly SeccompFlag[]): readonly string[] {
  return (['LOG', 'SPEC_ALLOW'] as const).filter((flag) =>
    flags.includes(`SECCOMP_FILTER_FLAG_${flag}`),
  )
}

/** What the executor does after the filter is on: see the phases behind `seccomp`. */
function callsUnderFilter(planning: Planning): readonly ('capset' | 'execve' | 'exit_group')[] {
  return needsFinalCapset(planning) ? ['capset', 'execve', 'exit_group'] : ['execve', 'exit_group']
}

/** Found here, before anything is made; later nobody would be left to say why. */
function findDeniedCalls(
  profile: Seccomp,
  at: Pointer,
  filter: Uint8Array,
  planning: Planning,
): Issue[] {
  const { architecture } = planning.facts
  return callsUnderFilter(planning).flatMap((name) => {
    const number = SYSCALL[architecture][name]
    const call = { number, architecture: AUDIT_ARCHITECTURE[architecture] }
    if (letsThrough(evaluateFilter(filter, call))) return []
    const reason = `${name} is denied by ${at} (${causeOf(profile, name)})`
    const message = `${reason}: the container's process could not be started`
    return [{ pointer: at, expected: `a profile that allows ${name}`, message }]
  })
}

function letsThrough(verdict: number): boolean {
  const action = (verdict & 0xffff_0000) >>> 0
  return action === VERDICT.allow || action === VERDICT.log || action === VERDICT.trace
}

function causeOf(profile: Seccomp, name: string): string {
  const permissive = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE']
  const rules = profile.syscalls ?? []
  const index = rules.findIndex(
    ({ names, action }) => names.includes(name) && !permissive.includes(action),
  )
  const rule = rules[index]
  return rule === undefined
    ? `defaultAction ${profile.defaultAction}`
    : `syscalls/${index} ${rule.action}`
}
