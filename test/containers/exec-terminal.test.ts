import { expect, it } from 'vitest'
import { startContainer } from './exec-rig.ts'
import {
  describeContainers,
  invoke,
  type Patch,
  probeArguments,
  readState,
  waitUntil,
} from './rig.ts'
import { ONE_MASTER, open, receive, untilRaw } from './terminal-rig.ts'

const withoutDevpts: Patch = (config) => {
  config.mounts = config.mounts.filter(({ destination }) => destination !== '/dev/pts')
}

describeContainers('exec --tty', (runtime) => {
  const openProbe = (id: string, operations: readonly (readonly string[])[]) =>
    open(runtime, ['exec', '--tty', id, ...probeArguments(operations)])

  it('is a terminal of the container: its name is there, typing reaches it, its status comes back', async () => {
    const { id } = startContainer(runtime)
    const operations = [['stat', '/proc/self/fd/0'], ['sleep', '1'], ['input'], ['exit', '5']]
    const program = await openProbe(id, operations)
    await untilRaw(program)
    program.type('hello\r\x04')
    await program.shows(/"target":"\/dev\/pts\/0".*"hello\\u000a",null\]/)
    expect(await program.ended).toBe('exit 5')
    expect(readState(runtime, id).status).toBe('running')
  })

  it('Ctrl-C ends what runs there', async () => {
    const { id } = startContainer(runtime)
    const program = await openProbe(id, [['sleep', '100']])
    await waitUntil('the program', () => invoke(runtime, ['ps', id]).stdout.includes('sleep 100'))
    program.type('\x03')
    expect(await program.ended).toBe('exit 130')
  })

  // runc 1.1 fails without a devpts in the container.
  it.skipIf(runtime.name === 'runc')('also where the container has no devpts', async () => {
    const { id } = startContainer(runtime, withoutDevpts)
    const program = await openProbe(id, [['sleep', '1'], ['input'], ['exit', '0']])
    await untilRaw(program)
    program.type('a\r\x04')
    await program.shows(/"a\\u000a",null\]/)
    expect(await program.ended).toBe('exit 0')
  })

  it('--console-socket takes the master of a detached one: one connection, one message, one fd', async () => {
    const { id } = startContainer(runtime)
    const receiver = await receive()
    const flags = ['--detach', '--tty', '--console-socket', receiver.socket]
    const { status, stderr } = invoke(runtime, ['exec', ...flags, id, '/probe', 'sleep', '100'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(await receiver.finish()).toEqual(ONE_MASTER)
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
