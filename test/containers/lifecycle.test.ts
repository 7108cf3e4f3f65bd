import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  parseValues,
  probeArguments,
  readState,
  runContainer,
  spawnRun,
  stateDirectory,
  waitForStatus,
  waitUntil,
} from './rig.ts'

const { SIGTERM, SIGKILL, SIGUSR1 } = constants.signals

describeContainers('create, start, state, kill, delete', (runtime) => {
  it('a container goes created, running, stopped, and is gone after delete', async () => {
    const { id, pid, bundle, stdout } = createContainer(runtime, [['trap']], (config) => {
      config.annotations = { 'org.example.key': 'value' }
    })
    const created = readState(runtime, id)
    expect(created).toMatchObject({
      id,
      pid,
      status: 'created',
      bundle: bundle.directory,
      annotations: { 'org.example.key': 'value' },
    })
    expect(created.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
    expect(invoke(runtime, ['start', id])).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    })
    await waitUntil('the probe', () => stdout().includes('ready'))
    expect(readState(runtime, id)).toMatchObject({ status: 'running', pid })
    expect(invoke(runtime, ['kill', id, 'TERM'])).toMatchObject({ status: 0, stderr: '' })
    await waitForStatus(runtime, id, 'stopped')
    expect(readState(runtime, id).pid).toBe(0)
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(invoke(runtime, ['state', id])).toMatchObject({ status: 1 })
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })

  it('the program does not run before start', () => {
    const { id, stdout } = createContainer(runtime, [['report']])
    expect(stdout()).toBe('')
    invoke(runtime, ['delete', '--force', id])
    expect(stdout()).toBe('')
  })

  it('the pid file holds the pid and nothing else', () => {
    const { pid, bundle } = createContainer(runtime, [['report']])
    expect(readFileSync(join(bundle.directory, 'pid'), 'utf8')).toBe(String(pid))
    expect(existsSync(`/proc/${pid}`)).toBe(true)
  })

  it('an id that is taken is refused, and what it names is not touched', () => {
    const { id, bundle } = createContainer(runtime, [['report']])
    const again = invoke(runtime, ['create', '--bundle', bundle.directory, id])
    expect(again.status).toBe(1)
    expect(again.stderr).toMatch(/container with given ID already exists/)
    expect(readState(runtime, id).status).toBe('created')
  })

  it.each(['', '..', 'a/b', 'a b', 'ä', '.'])('the id %j is refused', (id) => {
    const { directory } = createBundle()
    expect(invoke(runtime, ['create', '--bundle', directory, id]).status).toBe(1)
  })

  it('start of what is no longer created is refused', async () => {
    const { id, stdout } = createContainer(runtime, [['trap']])
    invoke(runtime, ['start', id])
    await waitUntil('the probe', () => stdout().includes('ready'))
    const running = invoke(runtime, ['start', id])
    expect(running.status).toBe(1)
    expect(running.stderr).toContain('cannot start an already running container')
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    const stopped = invoke(runtime, ['start', id])
    expect(stopped.status).toBe(1)
    expect(stopped.stderr).toContain('cannot start a container that has stopped')
  })

  it.each(['start', 'state', 'kill', 'delete'])('%s of an unknown container says so', (command) => {
    const result = invoke(runtime, [command, 'tsrunc-test-unknown'])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('does not exist')
    expect(result.stdout).toBe('')
  })

  it.each([
    ['KILL', SIGKILL],
    ['SIGTERM', SIGTERM],
    ['10', SIGUSR1],
    ['', SIGTERM],
  ])('kill with the signal %j', async (word, signal) => {
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
    await waitForStatus(runtime, id, 'running')
    expect(invoke(runtime, ['kill', id, ...(word === '' ? [] : [word])]).status).toBe(0)
    const status = await new Promise((settle) => child.on('exit', settle))
    expect(status).toBe(signal === SIGKILL ? 128 + SIGKILL : 100 + signal)
  })

  it('a created container is ended by TERM', async () => {
    const { id } = createContainer(runtime, [['report']])
    expect(invoke(runtime, ['kill', id, 'TERM']).status).toBe(0)
    if (runtime.name === 'runc') invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
  })

  it('an unknown signal is refused', () => {
    const { id } = createContainer(runtime, [['report']])
    for (const word of ['NOSUCH', '-1', '9x', '65']) {
      expect(invoke(runtime, ['kill', id, word]).status, word).toBe(1)
    }
    expect(readState(runtime, id).status).toBe('created')
  })

  it('kill of a stopped container says that it is not running; --all is silent', async () => {
    const { id } = createContainer(runtime, [['report']])
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    const result = invoke(runtime, ['kill', id, 'KILL'])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/container not running/)
    expect(invoke(runtime, ['kill', '--all', id, 'KILL']).status).toBe(0)
  })

  it('kill --all reaches every process when the pid namespace is shared', async () => {
    const { id, stdout, bundle } = createContainer(
      runtime,
      [
        ['fork', '3'],
        ['sleep', '30'],
      ],
      (config) => {
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
      },
    )
    void bundle
    invoke(runtime, ['start', id])
    expect(invoke(runtime, ['kill', '--all', id, 'KILL']).status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(stdout()).not.toContain(']')
  })

  it('delete of a running container is refused, --force ends it', async () => {
    const { id, pid, stdout } = createContainer(runtime, [['trap']])
    invoke(runtime, ['start', id])
    await waitUntil('the probe', () => stdout().includes('ready'))
    const refused = invoke(runtime, ['delete', id])
    expect(refused.status).toBe(1)
    expect(refused.stderr).toMatch(/cannot delete container .* that is not stopped: running/)
    expect(invoke(runtime, ['delete', '--force', id])).toMatchObject({ status: 0, stderr: '' })
    await waitUntil('its end', () => !isAlive(pid))
    expect(invoke(runtime, ['state', id]).status).toBe(1)
  })

  it('delete of a created container ends it', () => {
    const { id } = createContainer(runtime, [['report']])
    expect(invoke(runtime, ['delete', id]).status).toBe(0)
    expect(invoke(runtime, ['state', id]).status).toBe(1)
  })

  it('delete --force of nothing succeeds', () => {
    expect(invoke(runtime, ['delete', '--force', 'tsrunc-test-unknown'])).toMatchObject({
      status: 0,
    })
  })

  it('nothing is left of 5 containers', () => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8')
    for (let i = 0; i < 5; i++) {
      const { id } = createContainer(runtime, [['report']])
      invoke(runtime, ['start', id])
      invoke(runtime, ['delete', '--force', id])
      expect(existsSync(join(stateDirectory(), id))).toBe(false)
    }
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before)
  })

  it.skipIf(runtime.name === 'runc')('the state directory is closed to others', () => {
    const { id } = createContainer(runtime, [['report']])
    expect(statSync(stateDirectory()).mode & 0o077).toBe(0)
    expect(statSync(join(stateDirectory(), id)).mode & 0o077).toBe(0)
  })

  // runc's init is a Go program of some megabytes.
  it.skipIf(runtime.name === 'runc')(
    'a created container holds one process of 1 MB at most',
    () => {
      const { pid } = createContainer(runtime, [['report']])
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])).toBeLessThanOrEqual(1024)
      expect(/Threads:\s+(\d+)/.exec(status)?.[1]).toBe('1')
    },
  )
})

describeContainers('run', (runtime) => {
  it.each([0, 1, 7, 255])('its status is the one of the program: %i', (status) => {
    expect(runContainer(runtime, [['exit', String(status)]]).status).toBe(status)
  })

  it('stdin, stdout and stderr are those of the caller', () => {
    const result = runContainer(runtime, [['input']], () => {}, { input: 'some text' })
    expect(parseValues(result.stdout)).toEqual(['some text'])
    expect(result.stderr).toBe('')
  })

  it('the container is gone afterwards', () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['exit', '3']])
    })
    const id = freshId(runtime)
    invoke(runtime, ['run', '--bundle', bundle.directory, id])
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })

  it('--keep leaves it stopped', () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['exit', '3']])
    })
    const id = freshId(runtime)
    const result = invoke(runtime, ['run', '--keep', '--bundle', bundle.directory, id])
    expect(result.status).toBe(3)
    expect(readState(runtime, id).status).toBe('stopped')
    expect(invoke(runtime, ['delete', id]).status).toBe(0)
  })

  it('--detach returns while the program runs', async () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['trap']])
    })
    const id = freshId(runtime)
    const pidFile = join(bundle.directory, 'pid')
    const flags = ['--detach', '--pid-file', pidFile, '--bundle', bundle.directory]
    expect(invoke(runtime, ['run', ...flags, id])).toMatchObject({ status: 0, stderr: '' })
    const state = readState(runtime, id)
    expect(state.status).toBe('running')
    expect(readFileSync(pidFile, 'utf8')).toBe(String(state.pid))
  })

  const forwarded = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGHUP', 'SIGWINCH'] as const
  // runc keeps SIGWINCH for a terminal, also where there is none.
  it.each(forwarded.slice(0, runtime.name === 'runc' ? 4 : 5))('forwards %s', async (signal) => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['trap']])
    })
    const child = spawnRun(runtime, bundle, freshId(runtime))
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
    })
    await waitUntil('the probe', () => output.includes('ready'))
    child.kill(signal)
    const status = await new Promise((settle) => child.on('exit', settle))
    expect(status).toBe(100 + constants.signals[signal])
  })

  it('LISTEN_FDS and --preserve-fds pass descriptors', () => {
    const { directory } = createBundle()
    writeFileSync(join(directory, 'x'), '')
    const result = runContainer(runtime, [['report']], () => {}, {
      flags: ['--preserve-fds', '2'],
      descriptors: [0, 0, 0],
    })
    expect(parseValues(result.stdout)[0]).toMatchObject({ fds: [0, 1, 2, 3, 4] })
  })

  // runc sees descriptors of its own at those numbers.
  it.skipIf(runtime.name === 'runc')('a descriptor that is to be preserved must be there', () => {
    const result = runContainer(runtime, [['report']], () => {}, { flags: ['--preserve-fds', '2'] })
    expect(result.status).toBe(1)
  })
})

describeContainers('list', (runtime) => {
  it('shows the containers as a table, as JSON and as ids', () => {
    const { id, pid, bundle } = createContainer(runtime, [['report']])
    const table = invoke(runtime, ['list']).stdout.split('\n')
    expect(table[0]?.trim().split(/\s+/)).toEqual([
      'ID',
      'PID',
      'STATUS',
      'BUNDLE',
      'CREATED',
      'OWNER',
    ])
    const row = table.find((line) => line.startsWith(id))?.split(/\s+/)
    expect(row?.slice(0, 4)).toEqual([id, String(pid), 'created', bundle.directory])
    const json = JSON.parse(invoke(runtime, ['list', '--format', 'json']).stdout) as object[]
    expect(json).toContainEqual(
      expect.objectContaining({ id, pid, status: 'created', owner: 'root' }),
    )
    expect(invoke(runtime, ['list', '-q']).stdout.split('\n')).toContain(id)
  })
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
