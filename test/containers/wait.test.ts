/** `wait`, which neither runc nor crun has: these tests are for tsrunc alone. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import {
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  globalFlags,
  invoke,
  probeArguments,
  type Runtime,
  readState,
  spawnRun,
  waitForStatus,
  waitUntil,
} from './rig.ts'

interface End {
  readonly status: number | null
  readonly output: string
}

/** Its end; comes back when it waits, so that nothing it waits for is missed. */
async function startWaiting(runtime: Runtime, id: string): Promise<{ end: Promise<End> }> {
  const child = spawn(runtime.path, [...globalFlags(), 'wait', id], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {},
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const end = new Promise<End>((settle) =>
    child.on('close', (status) => settle({ status, output })),
  )
  await waitUntil('wait', () => holdsPidfd(child.pid ?? 0))
  return { end }
}

function holdsPidfd(pid: number): boolean {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory).some((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`).includes('pidfd')
    } catch {
      return false
    }
  })
}

describeContainers('wait', (runtime) => {
  if (runtime.name === 'runc') {
    it.skip('(runc has no such command)', () => {})
    return
  }

  it.each([
    [['exit', '0'], 0],
    [['exit', '7'], 7],
    [['signal', '9'], 137],
  ])('prints how the program ended: %j', async (operation, expected) => {
    // Without a pid namespace of its own, so that a signal of its own ends it.
    const { id } = createContainer(runtime, [operation], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
    })
    const { end } = await startWaiting(runtime, id)
    expect(await Promise.race([end, setTimeout(100, 'still waiting')])).toBe('still waiting')
    invoke(runtime, ['start', id])
    expect(await end).toEqual({ status: 0, output: `${expected}\n` })
  })

  it('what it saw stays known until delete', async () => {
    const { id } = createContainer(runtime, [['exit', '3']])
    const { end } = await startWaiting(runtime, id)
    expect(readState(runtime, id)).not.toHaveProperty('exitStatus')
    invoke(runtime, ['start', id])
    await end
    expect(readState(runtime, id)).toMatchObject({ status: 'stopped', exitStatus: 3 })
    expect(invoke(runtime, ['wait', id])).toMatchObject({ status: 0, stdout: '3\n' })
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stderr: '' })
    expect(invoke(runtime, ['wait', id]).stderr).toContain('does not exist')
  })

  it('several may wait, and a foreground run gives its container the same end', async () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['trap']])
    })
    const id = freshId(runtime)
    const child = spawnRun(runtime, bundle, id)
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
    })
    await waitUntil('the probe', () => output.includes('ready'))
    const waiting = [await startWaiting(runtime, id), await startWaiting(runtime, id)]
    const ended = new Promise((settle) => child.on('exit', settle))
    invoke(runtime, ['kill', id, 'TERM'])
    expect(await ended).toBe(115)
    const expected = { status: 0, output: '115\n' }
    expect(await Promise.all(waiting.map(({ end }) => end))).toEqual([expected, expected])
  })

  it('run --keep has recorded the end, also when nobody waited', () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['exit', '9']])
    })
    const id = freshId(runtime)
    expect(invoke(runtime, ['run', '--keep', '--bundle', bundle.directory, id]).status).toBe(9)
    expect(readState(runtime, id)).toMatchObject({ status: 'stopped', exitStatus: 9 })
    expect(invoke(runtime, ['wait', id])).toMatchObject({ status: 0, stdout: '9\n', stderr: '' })
  })

  it('says so, with status 125, when somebody else has taken the exit status', async () => {
    const { id, pid } = createContainer(runtime, [['exit', '0']])
    invoke(runtime, ['start', id])
    // Reaped by who is above us; we did not wait.
    await waitUntil('its end', () => !existsSync(`/proc/${pid}`))
    expect(readState(runtime, id)).not.toHaveProperty('exitStatus')
    const { status, stdout, stderr } = invoke(runtime, ['wait', id])
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' })
    expect(stderr).toMatch(/level=error msg="wait \S+: the container has ended.* is not known here/)
  })

  it('delete meanwhile is no trouble for either', async () => {
    const { id } = createContainer(runtime, [['hold', '0']])
    invoke(runtime, ['start', id])
    await waitForStatus(runtime, id, 'running')
    const { end } = await startWaiting(runtime, id)
    expect(invoke(runtime, ['delete', '--force', id])).toMatchObject({ status: 0, stderr: '' })
    expect(await end).toEqual({ status: 0, output: '137\n' })
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })
})
