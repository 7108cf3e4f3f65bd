/** Containers on a terminal of their caller. */
import { spawn } from 'node:child_process'
import { constants, existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, onTestFinished } from 'vitest'
import { openTerminal, type TerminalProgram } from '../terminal.ts'
import {
  type Bundle,
  createBundle,
  freshId,
  globalFlags,
  type Patch,
  parseValues,
  type Runtime,
  waitUntil,
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
  const command = [runtime.path, ...globalFlags(), ...words]
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

/** What /proc/PID/fdinfo/FD says of the open file. */
export function isBlocking(info: unknown): boolean {
  const flags = Number.parseInt(/^flags:\s+(\d+)$/m.exec(`${info}`)?.[1] ?? '', 8)
  if (Number.isNaN(flags)) throw new Error(`no flags in ${info}`)
  return (flags & constants.O_NONBLOCK) === 0
}

interface Receiver {
  readonly socket: string
  /** Who closes the master hangs the container's terminal up. */
  readonly close: () => void
  /** What came, once its sender is gone; the master stays open. */
  readonly finish: () => Promise<Reception>
}

interface Reception {
  readonly connections: number
  readonly messages: number
  readonly fds: number
  readonly isEmpty: boolean
  /** Whose master it is. */
  readonly device: string
  readonly isBlocking: boolean
}

/** What a console socket gets. */
export const ONE_MASTER: Reception = {
  connections: 1,
  messages: 1,
  fds: 1,
  isEmpty: false,
  device: 'ptmx',
  isBlocking: true,
}

/** Takes what is sent to a socket, until the end of the test. */
export async function receive(): Promise<Receiver> {
  const socket = join(createBundle().directory, 'socket')
  const words = ['receive', socket, '--', 'received', '--', 'sleep', '60']
  const child = spawn(inject('probe'), words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const close = () => child.kill('SIGKILL')
  onTestFinished(() => void close())
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await waitUntil('the socket', () => existsSync(socket))
  const finish = async (): Promise<Reception> => {
    child.stdin.end()
    await waitUntil('the count', () => /"fds":\d+\}/.test(output))
    const values = parseValues(`${output.replace(/,?$/, '')}]`)
    const [{ bytes, link, info }, counts] = values as [Message, Counts]
    const device = link.replace(/.*\//, '')
    return { ...counts, isEmpty: bytes === 0, device, isBlocking: isBlocking(info) }
  }
  return { socket, close, finish }
}

interface Message {
  readonly bytes: number
  readonly link: string
  readonly info: string
}

type Counts = Pick<Reception, 'connections' | 'messages' | 'fds'>
