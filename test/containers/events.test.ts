import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import {
  createContainer,
  describeContainers,
  globalFlags,
  invoke,
  type Runtime,
  waitForStatus,
  waitUntil,
} from './rig.ts'

interface Event {
  readonly type: string
  readonly id: string
  readonly data?: {
    readonly cpu: { readonly usage: { readonly total: number } }
    readonly memory: { readonly usage: { readonly limit: number; readonly usage: number } }
    readonly pids: { readonly current: number }
  }
}

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const hasMemory = isUnified
  ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').includes('memory')
  : existsSync('/sys/fs/cgroup/memory/memory.oom_control')
const noMemory = hasMemory ? '' : ' (skipped: no memory controller here)'

/** `events` in the background; what it has printed so far, and its end. */
function listen(runtime: Runtime, args: readonly string[]) {
  const child = spawn(runtime.path, [...globalFlags(), 'events', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const ended = new Promise<number | null>((settle) => child.on('close', settle))
  const lines = () => output.split('\n').slice(0, -1)
  return { child, ended, events: () => lines().map((line) => JSON.parse(line) as Event) }
}

describeContainers('events', (runtime) => {
  const start = async () => {
    // A kernel that counts CPU time by ticks sees none of less than one.
    const operations = [
      ['burn', '100'],
      ['hold', '2'],
    ]
    const container = createContainer(runtime, operations, (config) => {
      config.linux.resources = { memory: { limit: 64n << 20n } }
    })
    invoke(runtime, ['start', container.id])
    await waitUntil('the children', () => container.stdout().includes('ready'))
    return container
  }

  it('--stats prints once what the container uses', async () => {
    const { id } = await start()
    const result = invoke(runtime, ['events', '--stats', id])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const event = JSON.parse(result.stdout) as Event
    expect(event).toMatchObject({ type: 'stats', id, data: { pids: { current: 3 } } })
    expect(Object.keys(event.data ?? {}).toSorted()).toEqual(
      'blkio cpu cpuset hugetlb intel_rdt memory network_interfaces pids'.split(' '),
    )
    expect(event.data?.cpu.usage.total).toBeGreaterThan(0)
    if (noMemory !== '') return
    expect(event.data?.memory.usage.limit).toBe(64 << 20)
    expect(event.data?.memory.usage.usage).toBeGreaterThan(0)
  })

  it('prints again and again, and ends with the container', async () => {
    const { id } = await start()
    const { ended, events } = listen(runtime, ['--interval', '100ms', id])
    await waitUntil('three lines', () => events().length >= 3)
    expect(events().every((event) => event.type === 'stats' && event.id === id)).toBe(true)
    invoke(runtime, ['kill', id, 'KILL'])
    // runc waits for the end of the cgroup, which is that of `delete`.
    if (runtime.name === 'runc') invoke(runtime, ['delete', '--force', id])
    expect(await ended).toBe(0)
  })

  it.skipIf(noMemory !== '')(`tells of an OOM kill${noMemory}`, async () => {
    const { id } = createContainer(
      runtime,
      [
        ['memory', '64'],
        ['hold', '0'],
      ],
      (config) => {
        config.linux.resources = { memory: { limit: 16n << 20n, swap: 16n << 20n } }
      },
    )
    const { events } = listen(runtime, ['--interval', '50ms', id])
    // Statistics come from who watches already.
    await waitUntil('the watch', () => events().length > 0)
    expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stderr: '' })
    await waitUntil('the OOM kill', () => events().some(({ type }) => type === 'oom'))
    expect(events()).toContainEqual({ type: 'oom', id })
  })

  it('of a stopped or unknown container, or at no interval, is refused', async () => {
    const { id } = createContainer(runtime, [['exit', '0']])
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    for (const flags of [[], ['--stats']]) {
      const result = invoke(runtime, ['events', ...flags, id])
      expect(result).toMatchObject({ status: 1, stdout: '' })
      expect(result.stderr).toContain(`container with id ${id} is not running`)
    }
    expect(invoke(runtime, ['events', 'tsrunc-test-unknown']).stderr).toContain('does not exist')
    const { id: other } = await start()
    const none = invoke(runtime, ['events', '--interval', '0s', other])
    expect(none.status).toBe(1)
    expect(none.stderr).toContain('duration interval must be greater than 0')
  })

  it.skipIf(runtime.name === 'runc')('ends when nobody reads it any more', async () => {
    const { id } = await start()
    const { child, ended, events } = listen(runtime, ['--interval', '50ms', id])
    await waitUntil('a line', () => events().length > 0)
    child.stdout.destroy()
    expect(await ended).toBe(0)
  })

  it.skipIf(runtime.name === 'runc')('is one call for several containers', async () => {
    const [first, second] = [await start(), await start()]
    const { stdout } = invoke(runtime, ['events', '--stats', first.id, second.id])
    const ids = stdout.trimEnd().split('\n')
    expect(ids.map((line) => (JSON.parse(line) as Event).id)).toEqual([first.id, second.id])
    const { ended, events } = listen(runtime, ['--interval', '100ms', first.id, second.id])
    await waitUntil('both', () => new Set(events().map(({ id }) => id)).size === 2)
    invoke(runtime, ['delete', '--force', first.id])
    const before = events().length
    await waitUntil('the other', () => events().length > before + 1)
    expect(events().at(-1)?.id).toBe(second.id)
    invoke(runtime, ['delete', '--force', second.id])
    expect(await ended).toBe(0)
  })

  it.skipIf(runtime.name === 'runc')(
    '--stats of one that fails does not hide the others',
    async () => {
      const { id } = await start()
      const result = invoke(runtime, ['events', '--stats', 'tsrunc-test-unknown', id])
      expect(result.status).toBe(1)
      expect(JSON.parse(result.stdout)).toMatchObject({ type: 'stats', id })
      expect(result.stderr).toContain('container does not exist: tsrunc-test-unknown')
    },
  )
})
