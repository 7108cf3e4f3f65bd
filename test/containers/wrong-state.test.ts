/** Commands that a container is not in the state for; the log of errors. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fail } from './refusal.ts'
import {
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  readState,
  waitForStatus,
} from './rig.ts'

/** Whose parent has not reaped it yet is not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describeContainers('a container in the wrong state', (runtime) => {
  it('none at all', () => {
    const id = freshId(runtime)
    for (const command of ['start', 'state', 'kill', 'delete']) {
      expect(fail(runtime, [command, id])).toMatch(/container does not exist/)
    }
    expect(invoke(runtime, ['delete', '--force', id])).toMatchObject({ status: 0, stderr: '' })
  })

  it('created, running, stopped', async () => {
    const { id, bundle } = createContainer(runtime, [['sleep', '100000']])
    const again = ['--bundle', bundle.directory, id]
    expect(fail(runtime, ['create', ...again])).toMatch(/container with given ID already exists/)
    expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stderr: '' })
    expect(fail(runtime, ['start', id])).toMatch(/cannot start an already running container/)
    expect(fail(runtime, ['run', ...again])).toMatch(/container with given ID already exists/)
    expect(fail(runtime, ['delete', id])).toMatch(
      new RegExp(`cannot delete container ${id} that is not stopped: running`),
    )
    expect(invoke(runtime, ['kill', id, 'KILL']).status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(fail(runtime, ['start', id])).toMatch(/cannot start a container that has stopped/)
    expect(fail(runtime, ['kill', id, 'TERM'])).toMatch(/container not running/)
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stderr: '' })
  })

  // runc 1.1 leaves the default action, ignore, to those that its pid 1 does not handle.
  it.skipIf(runtime.name === 'runc').each(['TERM', 'INT', 'HUP', 'QUIT'])(
    'created: %s ends it',
    async (signal) => {
      const { id } = createContainer(runtime, [['report']])
      expect(invoke(runtime, ['kill', id, signal]).status).toBe(0)
      await waitForStatus(runtime, id, 'stopped')
      expect(fail(runtime, ['start', id])).toMatch(/cannot start a container that has stopped/)
    },
  )

  it('created: other signals do not end it, and it still starts', async () => {
    const { id, stdout } = createContainer(runtime, [['report']])
    for (const signal of ['USR1', 'USR2', 'WINCH', 'PIPE', 'ALRM', 'CHLD', 'RTMIN+3']) {
      const result = invoke(runtime, ['kill', id, signal])
      // runc 1.1 does not know the real-time signals by name.
      if (runtime.name === 'tsrunc') expect(result, signal).toMatchObject({ status: 0 })
    }
    expect(readState(runtime, id).status).toBe('created')
    expect(invoke(runtime, ['start', id]).status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(JSON.parse(stdout())).toHaveLength(1)
  })

  it('created: delete ends it', () => {
    const { id, pid } = createContainer(runtime, [['report']])
    expect(invoke(runtime, ['delete', id])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(isAlive(pid)).toBe(false)
  })
})

describeContainers('the log', (runtime) => {
  it('without --log the record is on stderr', () => {
    const id = freshId(runtime)
    const text = invoke(runtime, ['state', id])
    expect(text.stderr).toMatch(/^time="\S+" level=error msg="[^\n]*does not exist[^\n]*"\n$/)
    const json = invoke(runtime, ['state', id], { globals: ['--log-format=json'] })
    expect(JSON.parse(json.stderr)).toMatchObject({ level: 'error' })
  })

  it('--log is appended to', () => {
    const { directory } = createBundle()
    const log = join(directory, 'log.json')
    writeFileSync(log, 'before\n')
    const globals = ['-log', log, '-log-format=json']
    expect(invoke(runtime, ['state', freshId(runtime)], { globals }).status).toBe(1)
    expect(readFileSync(log, 'utf8')).toMatch(/^before\n\{.*does not exist.*\}\n$/)
  })
})
