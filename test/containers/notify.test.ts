/** sd_notify(3): READY= of a container reaches whoever waits for it in NOTIFY_SOCKET. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import {
  createBundle,
  describeContainers,
  freshId,
  invoke,
  listContainerDirectories,
  type Patch,
  parseValues,
  probeArguments,
  type Runtime,
  waitUntil,
} from './rig.ts'

const INSIDE = '/run/notify/notify.sock'

interface Waiting {
  readonly env: Readonly<Record<string, string>>
  /** What was sent, once the last of it, the barrier, has come. */
  readonly messages: () => Promise<unknown>
  readonly isSilent: () => boolean
}

/** Somebody who waits at a socket. */
async function wait(): Promise<Waiting> {
  const socket = join(createBundle().directory, 'notify')
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child = spawn(inject('probe'), ['notifications', socket], { stdio: [...stdio] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  const ended = new Promise((settle) => child.on('close', settle))
  await waitUntil('the socket', () => existsSync(socket))
  return {
    env: { NOTIFY_SOCKET: socket, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    messages: async () => {
      await ended
      return parseValues(output)[0]
    },
    isSilent: () => output === '',
  }
}

function withUser(operations: readonly (readonly string[])[]): Patch {
  return (config) => {
    config.process.args = probeArguments(operations)
    config.process.user = { uid: 1000, gid: 1000 }
  }
}

function create(runtime: Runtime, patch: Patch, env: Readonly<Record<string, string>>) {
  const bundle = createBundle(patch)
  const id = freshId(runtime)
  const result = invoke(runtime, ['create', '--bundle', bundle.directory, id], { env })
  expect(result).toMatchObject({ status: 0, stderr: '' })
  return { id, state: () => JSON.parse(invoke(runtime, ['state', id]).stdout) as { pid: number } }
}

describeContainers('sd_notify', (runtime) => {
  // runc 1.1 sends no BARRIER, at which the receiver ends.
  it.skipIf(runtime.name === 'runc')(
    'start returns when the container is ready, and names its process',
    async () => {
      const { env, messages } = await wait()
      const operations = [
        ['sleep', '1'],
        ['notify', INSIDE, 'READY=1'],
        ['sleep', '60'],
      ]
      const { id, state } = create(runtime, withUser(operations), env)
      const { pid } = state()
      const begin = Date.now()
      expect(invoke(runtime, ['start', id], { env })).toMatchObject({ status: 0, stderr: '' })
      expect(Date.now() - begin).toBeGreaterThan(900)
      expect(await messages()).toEqual(['READY=1\n', `MAINPID=${pid}\n`, 'BARRIER=1'])
      expect(invoke(runtime, ['delete', '--force', id]).status).toBe(0)
      expect(listContainerDirectories()).toEqual([])
    },
  )

  it('start returns when the container ends before it is ready', async () => {
    const { env, isSilent } = await wait()
    const { id } = create(runtime, withUser([['notify', INSIDE, 'STATUS=no']]), env)
    expect(invoke(runtime, ['start', id], { env }).status).toBe(0)
    expect(isSilent()).toBe(true)
  })

  // runc compares the whole datagram with READY=.
  it.skipIf(runtime.name === 'runc')('nothing but READY= is passed on', async () => {
    const { env, messages } = await wait()
    const text = 'MAINPID=1\\nREADY=1\\nSTATUS=mine\\nFDSTORE=1'
    const { id, state } = create(
      runtime,
      withUser([
        ['notify', INSIDE, text],
        ['sleep', '60'],
      ]),
      env,
    )
    const { pid } = state()
    expect(invoke(runtime, ['start', id], { env }).status).toBe(0)
    expect(await messages()).toEqual(['READY=1\n', `MAINPID=${pid}\n`, 'BARRIER=1'])
  })

  it.skipIf(runtime.name === 'runc')('in the foreground we are what is named', async () => {
    const { env, messages } = await wait()
    const bundle = createBundle(
      withUser([
        ['notify', INSIDE, 'READY=1'],
        ['sleep', '1'],
      ]),
    )
    const result = invoke(runtime, ['run', '--bundle', bundle.directory, freshId(runtime)], { env })
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [ready, main, barrier] = (await messages()) as string[]
    expect([ready, barrier]).toEqual(['READY=1\n', 'BARRIER=1'])
    expect(main).toMatch(/^MAINPID=\d+\n$/)
    expect(listContainerDirectories()).toEqual([])
  })
})
