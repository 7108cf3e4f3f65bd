/**
 * The errors that reach a user. Every message is one line, lower-case, from the outside in
 * (`create web1: /mounts/3: move_mount(…): EINVAL`), the hint last in parentheses.
 */

/** A JSON pointer (RFC 6901) into config.json, or a flag's name such as `--no-pivot`. */
export type Pointer = string

/** One thing that is wrong with an input file, as data. */
export interface Issue {
  /** Where: JSON pointer into the file; '' is the whole document. */
  readonly pointer: Pointer
  /** Said in place of the pointer and what was expected, where that form does not fit. */
  readonly message?: string
  /** 1-based position in the file, where the text is known. */
  readonly line?: number
  readonly column?: number
  /** What was expected there, e.g. `an absolute path`. */
  readonly expected: string
  /** What was found there, shortened, e.g. `"bin"`. */
  readonly found?: string
  /** The nearest word that would have been right. */
  readonly didYouMean?: string
}

/** The command line is wrong: unknown flag, bad id, bad signal, flags that exclude each other. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** config.json (or --process, --resources) is malformed or asks for what cannot be. */
export class SpecError extends Error {
  override readonly name = 'SpecError'
  readonly issues: readonly Issue[]
  constructor(file: string, issues: readonly Issue[]) {
    super(issues.map((issue) => formatIssue(file, issue)).join('; '))
    this.issues = issues
  }
}

/** The container is not in the state that the command needs, or does not exist. */
export class StateError extends Error {
  override readonly name = 'StateError'
}

/** A step of a plan failed; the pointer names the config field that asked for the step. */
export class StepError extends Error {
  override readonly name = 'StepError'
  readonly pointer: Pointer
  constructor(pointer: Pointer, message: string, options?: ErrorOptions) {
    super(pointer === '' ? message : `${pointer}: ${message}`, options)
    this.pointer = pointer
  }
}

/** A system call of this process failed; `message` shows the call with its arguments. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError'
  readonly syscall: string
  /** errno by name, e.g. `EPERM`. */
  readonly code: string
  constructor(syscall: string, call: string, code: string, hint?: string) {
    super(`${call}: ${code}${hint === undefined ? '' : ` (hint: ${hint})`}`)
    this.syscall = syscall
    this.code = code
  }
}

/** Of no known container: engines match on the words. */
export function containerDoesNotExist(id: string): StateError {
  return new StateError(`container does not exist: ${id}`)
}

/** What node:fs throws. */
interface SystemError extends Error {
  readonly syscall: string
  readonly code: string
  readonly path?: string
  readonly dest?: string
}

export function isSystemError(error: unknown): error is SystemError {
  return !(error instanceof SyscallError) && error instanceof Error && 'syscall' in error
}

/** Whether a call failed with this errno, by name: one of node:fs, or of our own. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The message of an error; of one of node:fs in the form that our own calls have. */
export function describeError(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error)
  const { syscall, code, path, dest, message } = error
  const paths = [path, dest].filter((name) => name !== undefined)
  const call = `${syscall}(${paths.map((name) => JSON.stringify(name)).join(', ')})`
  const words = /^[A-Z0-9]+: ([^,]*)/.exec(message)?.[1]
  return `${call}: ${code}${words === undefined ? '' : `: ${words}`}`
}

function formatIssue(file: string, issue: Issue): string {
  if (issue.pointer.startsWith('--')) return issue.message ?? `${issue.pointer}: ${issue.expected}`
  const position = issue.line === undefined ? '' : `:${issue.line}:${issue.column ?? 1}`
  if (issue.message !== undefined) return `${file}${position}: ${issue.message}`
  const found = issue.found === undefined ? '' : `, found ${issue.found}`
  const nearest = issue.didYouMean === undefined ? '' : ` (did you mean ${issue.didYouMean}?)`
  const pointer = issue.pointer === '' ? '' : ` ${issue.pointer}:`
  return `${file}${position}:${pointer} expected ${issue.expected}${found}${nearest}`
}
