/**
 * What the front starts Node with: runs the bundle out of V8's code cache, which the build makes.
 * Compiling what `create` needs costs tens of milliseconds, reading it compiled a few. A cache of
 * another Node is rejected by V8 itself, and the bundle is compiled as if there were none.
 */
import { fstatSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'

/** The bundle, beside this file. */
const BUNDLE = 'tsrunc.js'

/** Commands that compile a config.json want all of the bundle, the others a small part of it. */
const COMPILING = ['create', 'run', 'exec', 'update', 'mounts', 'plan']

/** The name of the code cache for a command line; `request` is what the front recorded. */
export function chooseCodeCache(request: Buffer): string {
  const isCompiling = COMPILING.some((command) => request.includes(`\0${command}\0`))
  return isCompiling ? 'tsrunc.compiling.cache' : 'tsrunc.cache'
}

/** What the front recorded, read without moving its offset: main reads it again. */
export function readRequestBytes(): Buffer {
  const fd = Number(process.argv[2])
  const bytes = Buffer.allocUnsafe(fstatSync(fd).size)
  readSync(fd, bytes, 0, bytes.length, 0)
  return bytes
}

/** The bundle as the function that the build made of it, not yet run. */
export function compileBundle(directory: string, cachedData?: Buffer): Script {
  const filename = join(directory, BUNDLE)
  // esbuild writes ASCII only: as latin1 it is taken byte by byte, without decoding.
  return new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(cachedData && { cachedData }),
  })
}

/** Runs main. */
export function runBundle(script: Script, directory: string): void {
  script.runInThisContext()(require, module, join(directory, BUNDLE))
}
