/** What lowering a plan gives: the program, and what the engine does around and between. */
import type { ExchangeStep, HostStep, MountFilesystem, RunHook } from '../plan/steps.ts'
import type { Program } from './assembler.ts'

export interface Lowered {
  /** Host steps before there is a process: the engine does them before it starts the executor. */
  readonly prologue: readonly HostStep[]
  readonly program: Program
  /** What the engine does when the program meets it at a number. */
  readonly meets: ReadonlyMap<number, Meet>
  /** Meets of this number and above come after `wait-for-start`: `start` serves them. */
  readonly firstStartMeet: number
  /** Hooks outside of the program: done by `start` and by `delete`. */
  readonly epilogue: {
    readonly poststart: readonly RunHook[]
    readonly poststop: readonly RunHook[]
  }
}

/**
 * Host: the engine does the steps, then answers `proceed`.
 *
 * Cloned: a post (no answer). values [pid], fds [pidfd]. It always arrives before any other meet.
 *
 * Exchange, by the kind of its step:
 * - `read-home`: fds [passwd], or none if the container has no such file. Answer: `HOME=…`, at
 *   most ANSWER_LIMIT bytes; the NUL need not be sent.
 * - `inspect-executable`: values [index of the candidate found], fds [executable]. Answer: the
 *   path of its interpreter, at most ANSWER_LIMIT bytes; no bytes: nothing to check.
 * - `mount-filesystem` (tmpcopyup): fds [what the destination held, the detached mount]. Answer:
 *   nothing, once everything is copied.
 * - `run-hook`: answer fds [state, output]: the hook's stdin, and its stdout and stderr.
 */
export type Meet =
  | { readonly kind: 'host'; readonly steps: readonly HostStep[] }
  | { readonly kind: 'cloned' }
  | { readonly kind: 'exchange'; readonly step: ExchangeStep | MountFilesystem | RunHook }

/** The most bytes that an exchange takes as its answer: PATH_MAX and a little. */
export const ANSWER_LIMIT = 4199
