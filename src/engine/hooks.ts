/** Hooks that run in the runtime's namespaces: prestart, createRuntime, poststart, poststop. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StepError } from '../errors.ts'
import type { Program } from '../lower/assembler.ts'
import { lowerHook } from '../lower/lower.ts'
import type { RunHook } from '../plan/steps.ts'
import { createMemfd, writeMemfd } from '../sys/memfd.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import {
  endExecution,
  explainExecution,
  reapExecution,
  serveMeetings,
  startExecution,
} from './execution.ts'
import { type HookContainer, renderHookState } from './hook-state.ts'

/** How much of a failed hook's output goes into the message. */
const OUTPUT_LIMIT = 1024

/** What a hook gets as its stdin, stdout and stderr. */
export interface HookFiles {
  readonly state: number
  readonly stdout: number
  readonly stderr: number
  /** Takes what the config names no file for. */
  readonly captured: number
}

/** Fresh files for one hook: a memfd neither blocks beyond 64 KB nor breaks like a pipe. */
export function openHookFiles(container: HookContainer, step: RunHook): HookFiles {
  const state = createMemfd('tsrunc-hook-state')
  writeMemfd(state, Buffer.from(renderHookState(container, step.status)))
  const captured = createMemfd('tsrunc-hook-output')
  const [stdout, stderr] = [step.stdout, step.stderr].map((path) =>
    path === undefined ? captured : openSync(path, 'a', 0o600),
  )
  return { state, captured, stdout: stdout ?? captured, stderr: stderr ?? captured }
}

/** The fds as the program that runs the hook takes them in. */
export function fdsOf({ state, stdout, stderr }: HookFiles): readonly number[] {
  return [state, stdout, stderr]
}

/** Closes them; gives the end of what the hook printed, on one line. */
export function closeHookFiles(files: HookFiles): string {
  const { captured } = files
  const size = fstatSync(captured).size
  const tail = Buffer.alloc(Math.min(size, OUTPUT_LIMIT))
  readSync(captured, tail, 0, tail.length, size - tail.length)
  for (const fd of new Set([captured, ...fdsOf(files)])) closeSync(fd)
  return tail
    .toString()
    .trim()
    .replaceAll(/\s*\n\s*/g, ' | ')
}

/** Adds the hook's own words to the error that it caused. */
export function withOutput(error: StepError, output: string): StepError {
  if (output === '') return error
  return new StepError('', `${error.message}; its output: ${JSON.stringify(output)}`)
}

/** Runs one hook to its end. Throws a StepError that names the hook and quotes its output. */
export function runHook(step: RunHook, container: HookContainer, arch: Architecture): void {
  const files = openHookFiles(container, step)
  let output = ''
  let failure: StepError | undefined
  try {
    failure = runToEnd(lowerHook(step, container.bundle, arch), files)
  } finally {
    output = closeHookFiles(files)
  }
  if (failure !== undefined) throw withOutput(failure, output)
}

function runToEnd(program: Program, files: HookFiles): StepError | undefined {
  const execution = startExecution({ program })
  try {
    serveMeetings(
      execution.control,
      () => ({ verdict: 'proceed', fds: fdsOf(files) }),
      () => false,
    )
    const { ended, succeeded } = reapExecution(execution)
    return succeeded ? undefined : explainExecution(execution, ended)
  } finally {
    endExecution(execution)
    closeSync(execution.status)
  }
}
