/** Containers on a terminal of their caller. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, onTestFinished } from 'vitest'
import { openTerminal, type TerminalProgram } from '../terminal.ts'
import {
  type Bundle,
  createBundle,
  freshId,
  type Patch,
  type Runtime,
  stateDirectory,
} from './rig.ts'

/** The host's programs, and a terminal. */
export function withPrograms(args: readonly string[], patch: Patch = () => {}): Patch {
  return (config, bundle) => {
    for (const name of ['bin', 'lib', 'lib64'])
      symlinkSync(`usr/${name}`, join(bundle.rootfs, name))
    config.mounts.push({ destination: '/usr', source: '/usr', options: ['rbind', 'ro'] })
    config.process.args = [...args]
    config.process.env = ['PATH=/usr/bin:/bin', 'PS1=$ ', 'TERM=xterm']
    config.process.terminal = true
    patch(config, bundle)
  }
}

interface Foreground {
  readonly program: TerminalProgram
  readonly id: string
  readonly bundle: Bundle
}

/** `run` on a terminal of its own. */
export async function run(
  runtime: Runtime,
  args: readonly string[],
  patch?: Patch,
): Promise<Foreground> {
  const bundle = createBundle(withPrograms(args, patch))
  const id = freshId(runtime)
  return { program: await open(runtime, ['run', '--bundle', bundle.directory, id]), id, bundle }
}

/** A command of the runtime on a terminal of its own. */
export async function open(runtime: Runtime, words: readonly string[]): Promise<TerminalProgram> {
  const command = [runtime.path, '--root', stateDirectory(), ...words]
  const program = await openTerminal(inject('terminal'), command)
  onTestFinished(() => program[Symbol.dispose]())
  return program
}

/** Input, output and local modes of a terminal as Linux makes them. */
export const COOKED: readonly number[] = [0x500, 0x5, 0x8a3b]

export async function untilRaw({ modes }: TerminalProgram): Promise<void> {
  for (let i = 0; i < 1000 && ((await modes())[2] ?? 0) % 0o20 !== 0; i++) await pause(10)
  expect(((await modes())[2] ?? 0) % 0o20).toBe(0)
}

export async function untilCooked({ modes }: TerminalProgram): Promise<void> {
  for (let i = 0; i < 300 && `${await modes()}` !== `${COOKED}`; i++) await pause(10)
  expect(await modes()).toEqual(COOKED)
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, milliseconds))
}
