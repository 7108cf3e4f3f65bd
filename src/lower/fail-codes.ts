/** Codes of `fail`: what a program found wrong itself. The status page holds code and value. */
import { errnoName } from '../sys/errno.ts'

export const FAIL = {
  /** The stage process ended before it told the runtime of its child. */
  stageGone: 1,
  /** A condition that the instruction's reason tells in full. */
  refused: 2,
  /** None of the candidates for args[0] can be executed. */
  executable: 3,
  /** The interpreter of the executable is missing, or may not be executed. */
  interpreter: 4,
  /** The working directory is outside of the root (CVE-2024-21626). */
  directory: 5,
  /** A hook left with a status other than 0; the value is that status. */
  hookExited: 6,
  /** A hook was ended by a signal; the value is the signal. */
  hookKilled: 7,
  /** A hook ran longer than its timeout. */
  hookTimedOut: 8,
  /** A cgroup would not become empty in time. */
  cgroupBusy: 9,
} as const

/** What to say after the reason of a `fail` instruction; '' if the reason says everything. */
export function explainFail(code: number, value: number): string {
  if (code === FAIL.hookExited) return `exit status ${value}`
  if (code === FAIL.hookKilled) return `killed by signal ${value}`
  return value === 0 ? '' : errnoName(value)
}
