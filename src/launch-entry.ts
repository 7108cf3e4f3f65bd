import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { chooseCodeCache, compileBundle, readRequestBytes, runBundle } from './launch.ts'

/** Undefined where the build could not make one, or nothing of the front's is to be read. */
function readCodeCache(): Buffer | undefined {
  try {
    return readFileSync(join(__dirname, chooseCodeCache(readRequestBytes())))
  } catch {
    return undefined
  }
}

runBundle(compileBundle(__dirname, readCodeCache()), __dirname)
