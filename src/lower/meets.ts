/** What a lowered program and the engine have to do with each other where they meet. */
import type {
  AttachTerminal,
  BindMount,
  BindRootfs,
  ExchangeStep,
  HostStep,
  LoadSeccomp,
  MountFilesystem,
  RunHook,
} from '../plan/steps.ts'

/**
 * A step that the program cannot do without the runtime:
 * - `read-home`: fds [passwd], or none if the container has no such file. Answer: `HOME=…`, at
 *   most ANSWER_LIMIT bytes; its NUL need not be sent.
 * - `inspect-executable`: values [index of the candidate found], fds [executable]. Answer: the
 *   path of its interpreter, at most ANSWER_LIMIT bytes; no bytes: nothing to check.
 * - `mount-filesystem` (tmpcopyup): fds [what the destination held, the detached mount]. Answer:
 *   nothing, once everything is copied.
 * - `move-net-device`: fds [rtnetlink socket of the container's network namespace]. Answer:
 *   nothing, once the device is there.
 * - `attach-terminal`: fds [master]. Answer: nothing, once the master is where it belongs.
 * - `load-seccomp` (with a listener): fds [listener]. Answer: nothing, once the agent has it. The
 *   process waits under its filter.
 * - `bind-mount`, `bind-rootfs` (opened by the runtime): answer fds [tree], detached, with all that
 *   the step asks of it.
 * - `run-hook`: answer fds [stdin, stdout, stderr] of the hook.
 */
export type Exchange =
  | ExchangeStep
  | AttachTerminal
  | LoadSeccomp
  | MountFilesystem
  | BindMount
  | BindRootfs
  | RunHook

/**
 * Host: the engine does the steps, then answers `proceed`. Cloned: a post, which takes no answer:
 * values [pid], fds [pidfd]; the new process's own first meet may overtake it.
 */
export type Meet =
  | { readonly kind: 'host'; readonly steps: readonly HostStep[] }
  | { readonly kind: 'cloned' }
  | { readonly kind: 'exchange'; readonly step: Exchange }

/** The most bytes that an exchange takes as its answer: PATH_MAX and a little. */
export const ANSWER_LIMIT = 4199
