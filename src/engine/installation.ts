/** Where the built parts of tsrunc lie: all beside the bundle that this code runs from. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

let directory: string | undefined

/** Absolute path of a file of the installation. */
export function installedPath(name: string): string {
  directory ??= findDirectory()
  return join(directory, name)
}

/** The executor's ELF file. */
export function executorPath(): string {
  return installedPath('tsrunc-executor')
}

function findDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  // Run from source (tests): src/engine, with the build's output in bin.
  return here.endsWith('/src/engine') ? join(here, '../../bin') : here
}
