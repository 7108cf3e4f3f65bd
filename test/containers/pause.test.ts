import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import {
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  type Runtime,
  readState,
  unifiedCgroup,
  waitForStatus,
  waitUntil,
} from './rig.ts'

const QUIET = { status: 0, stdout: '', stderr: '' }

/** A running container that does nothing but use CPU time. */
async function startBurning(runtime: Runtime) {
  const container = createContainer(runtime, [['burn', '60000']])
  invoke(runtime, ['start', container.id])
  await waitUntil('its first CPU time', () => usedTime(container.pid) > 0)
  return container
}

/** Clock ticks that a process has used. */
function usedTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /s, '').split(' ')
  return Number(fields[11]) + Number(fields[12])
}

describeContainers('pause and resume', (runtime) => {
  it('a paused container stands still, says so, and goes on', async () => {
    const { id, pid } = await startBurning(runtime)
    expect(invoke(runtime, ['pause', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('paused')
    const before = usedTime(pid)
    await setTimeout(200)
    expect(usedTime(pid)).toBe(before)
    expect(invoke(runtime, ['resume', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('running')
    await waitUntil('more CPU time', () => usedTime(pid) > before)
  })

  it('what is not running is not paused, what is not paused not resumed', async () => {
    const { id } = await startBurning(runtime)
    const resumed = invoke(runtime, ['resume', id])
    expect(resumed.status).toBe(1)
    expect(resumed.stderr).toContain('container not paused')
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    const paused = invoke(runtime, ['pause', id])
    expect(paused.status).toBe(1)
    expect(paused.stderr).toContain('container not running')
    for (const command of ['pause', 'resume']) {
      const unknown = invoke(runtime, [command, 'tsrunc-test-unknown'])
      expect(unknown.status).toBe(1)
      expect(unknown.stderr).toContain('does not exist')
    }
  })

  it('a paused container is not started, and its processes are shown', () => {
    const { id, pid } = createContainer(runtime, [['report']])
    expect(invoke(runtime, ['pause', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('paused')
    expect(JSON.parse(invoke(runtime, ['ps', '-f', 'json', id]).stdout)).toEqual([pid])
    expect(invoke(runtime, ['start', id]).status).toBe(1)
    expect(invoke(runtime, ['resume', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('created')
    expect(invoke(runtime, ['start', id])).toMatchObject(QUIET)
  })

  it('a signal waits for resume, SIGKILL does not', async () => {
    const { id } = createContainer(runtime, [['trap']])
    invoke(runtime, ['start', id])
    await waitForStatus(runtime, id, 'running')
    invoke(runtime, ['pause', id])
    expect(invoke(runtime, ['kill', id, 'USR1'])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('paused')
    expect(invoke(runtime, ['kill', id, 'KILL'])).toMatchObject(QUIET)
    await waitForStatus(runtime, id, 'stopped')
  })

  it('delete --force and kill --all end a paused container', async () => {
    const first = await startBurning(runtime)
    invoke(runtime, ['pause', first.id])
    expect(invoke(runtime, ['delete', '--force', first.id])).toMatchObject({ status: 0 })
    await waitUntil('its end', () => !isRunning(first.pid))
    expect(invoke(runtime, ['state', first.id]).stderr).toContain('does not exist')
    const second = await startBurning(runtime)
    invoke(runtime, ['pause', second.id])
    expect(invoke(runtime, ['kill', '--all', second.id, 'KILL'])).toMatchObject({ status: 0 })
    // runc leaves it frozen.
    if (runtime.name === 'runc') return
    await waitForStatus(runtime, second.id, 'stopped')
  })

  it('update of a paused container leaves it paused', async () => {
    const { id, bundle } = await startBurning(runtime)
    invoke(runtime, ['pause', id])
    expect(invoke(runtime, ['update', '--pids-limit', '33', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('paused')
    const pids = unifiedCgroup(bundle) ?? cgroupDirectory('pids', bundle)
    if (pids !== undefined) expect(readFileSync(join(pids, 'pids.max'), 'latin1').trim()).toBe('33')
    expect(invoke(runtime, ['resume', id])).toMatchObject(QUIET)
  })

  it('a container that somebody else froze is paused, too', async () => {
    const { id, bundle } = await startBurning(runtime)
    const unified = unifiedCgroup(bundle)
    if (unified !== undefined) writeFileSync(join(unified, 'cgroup.freeze'), '1')
    else {
      const freezer = cgroupDirectory('freezer', bundle)
      if (freezer === undefined) return
      writeFileSync(join(freezer, 'freezer.state'), 'FROZEN')
    }
    await waitForStatus(runtime, id, 'paused')
    expect(invoke(runtime, ['resume', id])).toMatchObject(QUIET)
    expect(readState(runtime, id).status).toBe('running')
  })
})

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
