import { findListener } from '../../config/seccomp-listener.ts'
import type { Seccomp, SeccompFlag } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { LoadSeccomp, SeccompListener } from '../../plan/steps.ts'
import { SYSCALL } from '../../sys/syscall-numbers.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { needsFinalCapset } from '../process/capabilities.ts'
import { AUDIT_ARCHITECTURE, evaluateFilter, VERDICT } from './seccomp-evaluate.ts'

/** The profile itself is compiled by libseccomp, while facts are gathered. */
export const seccomp: Field<Seccomp> = { plan: planSeccomp }

function planSeccomp(profile: Seccomp, at: Pointer, planning: Planning): Contribution {
  const compiled = planning.facts.seccomp
  if (compiled === undefined) {
    const message = `${at}: the profile was not compiled: libseccomp is missing on this host`
    return { issues: [{ pointer: at, expected: 'a host with libseccomp', message }] }
  }
  const { listener, issues: missing } = planListener(profile, planning)
  const filter = Buffer.from(compiled.filter, 'base64')
  const issues = [...missing, ...findDeniedCalls(profile, at, filter, listener, planning)]
  if (issues.length > 0) return { issues }
  const flags = kernelFlags(profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'], listener)
  const step: LoadSeccomp = {
    kind: 'load-seccomp',
    phase: 'seccomp',
    origin: at,
    filter: compiled.filter,
    flags,
    ...(listener !== undefined && { listener }),
  }
  return { steps: [step] }
}

/** Told at `create`: at `start` the container would end for it. */
function planListener(
  { syscalls = [], listenerMetadata: metadata = '' }: Seccomp,
  { spec, facts }: Planning,
): { listener?: SeccompListener; issues: Issue[] } {
  if (!syscalls.some(({ action }) => action === NOTIFY)) return { issues: [] }
  const { path, pointer } = findListener(spec)
  // exec asks nothing of the host: its container was made with it.
  if (facts.paths.get(path) !== 'missing') return { listener: { path, metadata }, issues: [] }
  const expected = `the socket of an agent, for ${NOTIFY} is there`
  return { issues: [{ pointer, expected, found: `nothing at ${path}` }] }
}

const NOTIFY = 'SCMP_ACT_NOTIFY'

/**
 * No flags at all means SPEC_ALLOW, as in runc: the mitigation that it leaves off costs everyone
 * speed and protects only programs that run foreign code in-process. TSYNC is for threads, and
 * the container's process has one; WAIT_KILLABLE_RECV is refused without a listener.
 */
function kernelFlags(
  flags: readonly SeccompFlag[],
  listener: SeccompListener | undefined,
): readonly string[] {
  const known = ['LOG', 'SPEC_ALLOW', ...(listener ? ['WAIT_KILLABLE_RECV'] : [])]
  const wanted = known.filter((flag) =>
    flags.some((configured) => configured === `SECCOMP_FILTER_FLAG_${flag}`),
  )
  return listener === undefined ? wanted : [...wanted, 'NEW_LISTENER']
}

type Call = 'capset' | 'execve' | 'exit_group' | 'sendmsg' | 'recvmsg'

/** What the executor does after the filter is on: see the phases behind `seccomp`. */
function callsUnderFilter(
  listener: SeccompListener | undefined,
  planning: Planning,
): readonly Call[] {
  return [
    ...(listener === undefined ? [] : HANDOVER),
    ...(needsFinalCapset(planning) ? (['capset'] as const) : []),
    'execve',
    'exit_group',
  ]
}

/** How the listener goes out: nobody can answer a notification before that. */
const HANDOVER: readonly Call[] = ['sendmsg', 'recvmsg']

/** Found here, before anything is made; later nobody would be left to say why. */
function findDeniedCalls(
  profile: Seccomp,
  at: Pointer,
  filter: Uint8Array,
  listener: SeccompListener | undefined,
  planning: Planning,
): Issue[] {
  const { architecture } = planning.facts
  return callsUnderFilter(listener, planning).flatMap((name) => {
    const number = SYSCALL[architecture][name]
    const call = { number, architecture: AUDIT_ARCHITECTURE[architecture] }
    const isHeard = listener !== undefined && !HANDOVER.includes(name)
    if (letsThrough(evaluateFilter(filter, call), isHeard)) return []
    const reason = `${name} is denied by ${at} (${causeOf(profile, name)})`
    const message = `${reason}: the container's process could not be started`
    return [{ pointer: at, expected: `a profile that allows ${name}`, message }]
  })
}

function letsThrough(verdict: number, isHeard: boolean): boolean {
  const action = (verdict & 0xffff_0000) >>> 0
  if (action === VERDICT.notify) return isHeard
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
