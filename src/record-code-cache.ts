/**
 * Stands in for launch-entry.ts during the build: runs one command and keeps what V8 compiled for
 * it. Functions that did not run are left out and compiled at their first call.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chooseCodeCache, compileBundle, readRequestBytes, runBundle } from './launch.ts'

const script = compileBundle(__dirname)
const file = join(__dirname, chooseCodeCache(readRequestBytes()))
const { exit } = process
process.exit = (code) => {
  writeFileSync(file, script.createCachedData())
  return exit(code)
}
runBundle(script, __dirname)
