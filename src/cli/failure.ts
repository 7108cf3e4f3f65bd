/** What a user reads when a command fails: one line, never a stack trace. */
import {
  describeError,
  isSystemError,
  SpecError,
  StateError,
  StepError,
  SyscallError,
  UsageError,
} from '../errors.ts'

export function describeFailure(error: unknown, subject: string): string {
  if (error instanceof UsageError) return oneLine(error.message)
  const prefix = subject === '' ? '' : `${subject}: `
  if (isExpected(error)) return oneLine(prefix + error.message)
  if (isSystemError(error)) return oneLine(prefix + describeError(error))
  const shown = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return oneLine(
    `${prefix}internal error: ${shown} (this is a bug in tsrunc: please report it with what --debug logs)`,
  )
}

function isExpected(error: unknown): error is Error {
  return (
    error instanceof SpecError ||
    error instanceof StateError ||
    error instanceof StepError ||
    error instanceof SyscallError
  )
}

/** What steers a terminal, or turns the direction of text: messages quote what images hold. */
const STEERING = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

function oneLine(message: string): string {
  const line = message.trim().replaceAll(/\s*\n\s*/g, ' ')
  return line.replaceAll(STEERING, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
