/** Rules for /process. */
import type { Issue, Pointer } from '../../errors.ts'
import { quote } from '../complaints.ts'
import { findNearest } from '../nearest.ts'
import { RLIMIT_TYPES, type Spec } from '../spec.ts'
import { type Check, checkRange, findDuplicates } from './check.ts'

function checkCwd({ process }: Spec): Issue[] {
  if (process === undefined || process.cwd.startsWith('/')) return []
  return [{ pointer: '/process/cwd', expected: 'an absolute path', found: quote(process.cwd) }]
}

function checkArgs({ process }: Spec): Issue[] {
  if (process === undefined) return []
  const [program] = process.args ?? []
  if (program === undefined) {
    return [{ pointer: '/process/args', expected: 'at least the program', found: 'nothing' }]
  }
  return program === ''
    ? [{ pointer: '/process/args/0', expected: 'the name of a program', found: '""' }]
    : []
}

function checkEnv({ process }: Spec): Issue[] {
  return (process?.env ?? []).flatMap((entry, index) =>
    entry.indexOf('=') > 0
      ? []
      : [{ pointer: `/process/env/${index}`, expected: 'NAME=VALUE', found: quote(entry) }],
  )
}

function checkRlimits({ process }: Spec): Issue[] {
  const at = '/process/rlimits'
  const issues = findDuplicates(process?.rlimits, at, ({ type }) => type)
  for (const [index, { type, soft, hard }] of (process?.rlimits ?? []).entries()) {
    if (!RLIMIT_TYPES.includes(type)) {
      const didYouMean = findNearest(type, RLIMIT_TYPES)
      const issue = { pointer: `${at}/${index}/type`, expected: 'a limit of Linux', found: type }
      issues.push(didYouMean === undefined ? issue : { ...issue, didYouMean })
    }
    if (soft > hard) {
      const expected = `at most the hard limit ${hard}`
      issues.push({ pointer: `${at}/${index}/soft`, expected, found: String(soft) })
    }
  }
  return issues
}

/** struct winsize has 16 bits for each. */
function checkConsoleSize({ process }: Spec): Issue[] {
  const at = '/process/consoleSize'
  return [
    ...checkRange(process?.consoleSize?.height, `${at}/height`, 0, 0xffff),
    ...checkRange(process?.consoleSize?.width, `${at}/width`, 0, 0xffff),
  ]
}

function checkOomScore({ process }: Spec): Issue[] {
  return checkRange(process?.oomScoreAdj, '/process/oomScoreAdj', -1000, 1000)
}

/** To setresuid(2) and its like it means "leave it as it is": the container would stay root's. */
const NO_ID = 0xffff_ffff

function checkUser({ process }: Spec): Issue[] {
  const { uid, gid, additionalGids = [] } = process?.user ?? {}
  const ids: readonly (readonly [Pointer, number | undefined])[] = [
    ['uid', uid],
    ['gid', gid],
    ...additionalGids.map((id, index) => [`additionalGids/${index}`, id] as const),
  ]
  return ids.flatMap(([member, id]) => checkRange(id, `/process/user/${member}`, 0, NO_ID - 1))
}

/** sched_setattr(2): which member goes with which policy. */
function checkScheduler({ process }: Spec): Issue[] {
  const scheduler = process?.scheduler
  if (scheduler === undefined) return []
  const at = '/process/scheduler'
  const { policy, priority } = scheduler
  const issues = checkRange(scheduler.nice, `${at}/nice`, -20, 19)
  if (policy === 'SCHED_FIFO' || policy === 'SCHED_RR') {
    issues.push(...checkRange(priority ?? 0, `${at}/priority`, 1, 99))
  } else if ((priority ?? 0) !== 0) {
    issues.push(describeMismatch(`${at}/priority`, 'SCHED_FIFO or SCHED_RR', policy))
  }
  for (const member of ['runtime', 'deadline', 'period'] as const) {
    if (policy === 'SCHED_DEADLINE' || (scheduler[member] ?? 0n) === 0n) continue
    issues.push(describeMismatch(`${at}/${member}`, 'SCHED_DEADLINE', policy))
  }
  return issues
}

function describeMismatch(pointer: Pointer, policies: string, policy: string): Issue {
  return { pointer, expected: `the policy ${policies}, or no value`, found: policy }
}

function checkIoPriority({ process }: Spec): Issue[] {
  return checkRange(process?.ioPriority?.priority, '/process/ioPriority/priority', 0, 7)
}

function checkAffinity({ process }: Spec): Issue[] {
  const issues: Issue[] = []
  for (const member of ['initial', 'final'] as const) {
    const list = process?.execCPUAffinity?.[member]
    if (list === undefined || list.trim() === '') continue
    if (/^\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*$/.test(list)) continue
    const pointer = `/process/execCPUAffinity/${member}`
    issues.push({ pointer, expected: 'a list of CPUs such as 0-3,7', found: quote(list) })
  }
  return issues
}

export const processChecks: readonly Check[] = [
  { name: 'cwd', reads: ['/process/cwd'], run: checkCwd },
  { name: 'args', reads: ['/process/args'], run: checkArgs },
  { name: 'env', reads: ['/process/env'], run: checkEnv },
  { name: 'rlimits', reads: ['/process/rlimits'], run: checkRlimits },
  { name: 'user', reads: ['/process/user'], run: checkUser },
  { name: 'console size', reads: ['/process/consoleSize'], run: checkConsoleSize },
  { name: 'oom score', reads: ['/process/oomScoreAdj'], run: checkOomScore },
  { name: 'scheduler', reads: ['/process/scheduler'], run: checkScheduler },
  { name: 'I/O priority', reads: ['/process/ioPriority'], run: checkIoPriority },
  { name: 'CPU affinity', reads: ['/process/execCPUAffinity'], run: checkAffinity },
]
