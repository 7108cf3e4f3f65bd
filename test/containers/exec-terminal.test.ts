import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { openTerminal, type TerminalProgram } from '../terminal.ts'
import { startContainer } from './exec-rig.ts'
import {
  describeContainers,
  invoke,
  type Patch,
  probeArguments,
  readState,
  stateDirectory,
  waitUntil,
} from './rig.ts'

const withoutDevpts: Patch = (config) => {
  config.mounts = config.mounts.filter(({ destination }) => destination !== '/dev/pts')
}

const ICANON = 0o2

/** From when on nothing of the caller's own terminal changes what is typed. */
async function waitUntilRaw({ modes }: TerminalProgram): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (((await modes())[2] ?? 0) % (2 * ICANON) < ICANON) return
    await new Promise((wake) => setTimeout(wake, 10))
  }
  throw new Error('the terminal never became raw')
}

describeContainers('exec --tty', (runtime) => {
  const open = (id: string, operations: readonly (readonly string[])[]) =>
    openTerminal(inject('terminal'), [
      runtime.path,
      ...['--root', stateDirectory(), 'exec', '--tty', id],
      ...probeArguments(operations),
    ])

  it('is a terminal of the container: its name is there, typing reaches it, its status comes back', async () => {
    const { id } = startContainer(runtime)
    const operations = [['stat', '/proc/self/fd/0'], ['sleep', '1'], ['input'], ['exit', '5']]
    using program = await open(id, operations)
    await waitUntilRaw(program)
    program.type('hello\r\x04')
    await program.shows(/"target":"\/dev\/pts\/0".*"hello\\u000a",null\]/)
    expect(await program.ended).toBe('exit 5')
    expect(readState(runtime, id).status).toBe('running')
  })

  it('Ctrl-C ends what runs there', async () => {
    const { id } = startContainer(runtime)
    using program = await open(id, [['sleep', '100']])
    await waitUntil('the program', () => invoke(runtime, ['ps', id]).stdout.includes('sleep 100'))
    program.type('\x03')
    expect(await program.ended).toBe('exit 130')
  })

  // runc 1.1 fails without a devpts in the container.
  it.skipIf(runtime.name === 'runc')('also where the container has no devpts', async () => {
    const { id } = startContainer(runtime, withoutDevpts)
    using program = await open(id, [['sleep', '1'], ['input'], ['exit', '0']])
    await waitUntilRaw(program)
    program.type('a\r\x04')
    await program.shows(/"a\\u000a",null\]/)
    expect(await program.ended).toBe('exit 0')
  })

  // Who closes the master at once hangs the terminal up before it is anybody's.
  it('--console-socket takes the master of a detached one', async () => {
    const { id, bundle } = startContainer(runtime)
    const socket = join(bundle.directory, 'console')
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const receiver = spawn(inject('probe'), ['receive', socket, '--', 'sleep', '3'], {
      stdio: [...stdio],
    })
    let output = ''
    receiver.stdout.on('data', (data) => {
      output += data
    })
    await waitUntil('the socket', () => existsSync(socket))
    const flags = ['--detach', '--tty', '--console-socket', socket]
    const { status, stderr } = invoke(runtime, ['exec', ...flags, id, '/probe', 'sleep', '100'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    await new Promise((settle) => receiver.on('exit', settle))
    const [message] = JSON.parse(output) as [{ bytes: number; link: string }]
    expect(message.bytes).toBeGreaterThan(0)
    expect(message.link).toMatch(/ptmx$/)
  })

  it('flags that do not go together are refused, in the words that callers know', () => {
    const { id } = startContainer(runtime)
    const refuse = (...flags: string[]): string => {
      const { status, stdout, stderr } = invoke(runtime, ['exec', ...flags, id, '/probe'])
      expect({ status, stdout }).toEqual({ status: 255, stdout: '' })
      return stderr
    }
    expect(refuse('--tty', '--detach')).toContain(
      'cannot allocate tty if runc will detach without setting console socket',
    )
    for (const flags of [
      ['--console-socket', '/x'],
      ['--detach', '--console-socket', '/x'],
    ]) {
      expect(refuse(...flags)).toContain(
        'cannot use console socket if runc will not detach or allocate tty',
      )
    }
  })

  it('a socket that nobody listens on is an error, and nothing is left', () => {
    const { id } = startContainer(runtime)
    const flags = ['--detach', '--tty', '--console-socket', '/nowhere']
    const { status, stdout, stderr } = invoke(runtime, [
      'exec',
      ...flags,
      id,
      '/probe',
      'sleep',
      '9',
    ])
    expect({ status, stdout }).toEqual({ status: 255, stdout: '' })
    if (runtime.name === 'tsrunc') expect(stderr).toMatch(/--console-socket.*\/nowhere.*ENOENT/)
    expect(invoke(runtime, ['ps', id]).stdout).not.toContain('sleep 9')
  })
})
