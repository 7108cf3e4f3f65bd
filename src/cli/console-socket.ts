/** `--console-socket` of `create`, `run` and `exec`. */
import { resolve } from 'node:path'
import { type Flags, textFlag } from './command.ts'

/** An empty path is none, as in runc. */
export function readConsoleSocket(flags: Flags): { consoleSocket?: string } {
  const path = textFlag(flags, 'consoleSocket')
  return path ? { consoleSocket: resolve(path) } : {}
}
