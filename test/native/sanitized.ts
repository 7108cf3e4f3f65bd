/** Imported first: the tests of the files imported after it run a sanitized executor. */
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { EXECUTOR_SOURCES, runCompiler, writeInstructionSet } from '../../native-shims/build.ts'
import { useExecutor } from './run-program.ts'

const SOURCES = resolve('native-shims')
/** Its file is part of the hosted one, for its entry point. */
const OTHERS = EXECUTOR_SOURCES.filter((name) => name !== 'executor.c')
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']

/** Why there is no sanitized executor; undefined if there is one. */
export function whyNotSanitized(): string | undefined {
  const empty = ['-x', 'c', '-', '-o', '/dev/null']
  try {
    const input = 'int main(void) { return 0; }'
    execFileSync(process.env.CC || 'cc', [...SANITIZERS, ...empty], { input, stdio: 'pipe' })
    return undefined
  } catch {
    return 'this compiler has no address and undefined behaviour sanitizers'
  }
}

useExecutor((directory) => {
  writeInstructionSet()
  runCompiler([
    ...['-std=c17', '-O1', '-g', '-ffreestanding', '-Wall', '-Wextra', '-Werror'],
    ...SANITIZERS,
    `-I${SOURCES}`,
    join(import.meta.dirname, 'hosted-executor.c'),
    ...OTHERS.map((name) => join(SOURCES, name)),
    ...['-o', join(directory, 'tsrunc-executor')],
  ])
})
