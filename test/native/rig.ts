/** A front in a directory of its own, with a stand-in for Node beside it. */
import {
  execFileSync,
  type SpawnSyncOptions,
  type SpawnSyncReturns,
  spawnSync,
} from 'node:child_process'
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { buildFront } from '../../native-shims/build.ts'
import { decodeRequest, type Request } from '../../src/host/request.ts'
import { childrenOf } from '../children.ts'

export interface Rig extends Disposable {
  readonly directory: string
  readonly front: string
  path(name: string): string
  run(args: readonly string[], options?: SpawnSyncOptions): SpawnSyncReturns<string>
  /** Runs a shell script in which `$0` is the front. */
  shell(script: string, options?: SpawnSyncOptions): SpawnSyncReturns<string>
  /** What the front recorded, for the first Node or the one that cleans up. */
  request(which?: 'request.again'): Request
  /** What the stand-in saw of itself: `descriptor 0 /dev/null` … */
  seen(which?: 'seen.again'): string[]
}

let programs: string | undefined

function buildPrograms(): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'tsrunc-test-programs-'))
  buildFront(directory)
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-static']
  const source = join(import.meta.dirname, 'stand-in.c')
  execFileSync('cc', [...flags, source, '-o', join(directory, 'node')], { stdio: 'inherit' })
  return directory
}

afterAll(() => {
  if (programs !== undefined) rmSync(programs, { recursive: true })
  programs = undefined
})

export function openRig(): Rig {
  programs ??= buildPrograms()
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'tsrunc-test-front-'))
  const path = (name: string) => join(directory, name)
  copyFileSync(join(programs, 'tsrunc'), path('tsrunc'))
  copyFileSync(join(programs, 'node'), path('node'))
  writeFileSync(path('tsrunc.cjs'), '')
  const front = path('tsrunc')
  const options = { encoding: 'utf8', timeout: 10_000 } as const
  return {
    directory,
    front,
    path,
    run: (args, more = {}) => spawnSync(front, args, { ...more, ...options }),
    shell: (script, more = {}) => spawnSync('sh', ['-c', script, front], { ...more, ...options }),
    request: (which) => decodeRequest(readFileSync(path(which ?? 'request'))),
    seen: (which) =>
      readFileSync(path(which ?? 'seen'), 'utf8')
        .trimEnd()
        .split('\n'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** The numbers after `descriptor` in what the stand-in saw. */
export function descriptorsIn(seen: readonly string[]): number[] {
  return seen
    .filter((line) => line.startsWith('descriptor '))
    .map((line) => Number(line.split(' ')[1]))
}

/** Waits until there is an answer other than undefined and false, for at most five seconds. */
export async function eventually<T>(ask: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 500; i++) {
    const answer = ask()
    if (answer !== undefined && answer !== false) return answer
    await setTimeout(10)
  }
  throw new Error(`never came true: ${ask}`)
}

/** The names of a process's children; ended ones that nobody waited for as `name (zombie)`. */
export function nameChildren(pid: number): readonly string[] {
  return childrenOf(pid).map(({ name, isZombie }) => (isZombie ? `${name} (zombie)` : name))
}
