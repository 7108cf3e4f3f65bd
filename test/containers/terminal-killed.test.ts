/**
 * SIGKILL of each of our processes while a caller's terminal is attached: it is as it was before.
 * runc has one process, and leaves the terminal raw when that is killed after it made it so.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { childrenOf } from '../children.ts'
import { startContainer } from './exec-rig.ts'
import { describeContainers, invoke, type Runtime, waitUntil } from './rig.ts'
import { COOKED, open, run, untilCooked, untilRaw } from './terminal-rig.ts'

/**
 * The process that works at a command: a child of the supervisor, Node or what has a resident planner
 * do it; or runc itself.
 */
async function findWorker(runtime: Runtime, command: number): Promise<number> {
  return runtime.name === 'tsrunc' ? await findChild(command, /bin\/tsrunc/) : command
}

/** Kills it and waits until another is there. */
async function killGuardian(supervisor: number): Promise<void> {
  const guardian = await findChild(supervisor, /^tsrunc-guardian/)
  process.kill(guardian, 'SIGKILL')
  await findChild(supervisor, /^tsrunc-guardian/, guardian)
}

async function findChild(parent: number, words: RegExp, other?: number): Promise<number> {
  let found: number | undefined
  await waitUntil(`a child of ${parent} like ${words}`, () => {
    const pids = childrenOf(parent).map((child) => child.pid)
    found = pids.find((pid) => pid !== other && words.test(readWords(pid)))
    return found !== undefined
  })
  return found ?? -1
}

/** Empty when it is gone. */
function readWords(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

describeContainers('a terminal whose', (runtime) => {
  const killed = runtime.name === 'tsrunc' ? 'exit 137' : 'signal 9'

  it('run is killed while it creates is as it was, and the container is gone', async () => {
    const { program, id, bundle } = await run(runtime, ['sleep', '60'], (config, { directory }) => {
      const path = join(directory, 'hook.sh')
      writeFileSync(path, `#!/bin/sh\ntouch ${directory}/begun\nexec sleep 3\n`)
      chmodSync(path, 0o755)
      config.hooks = { createRuntime: [{ path }] }
    })
    await waitUntil('the hook', () => existsSync(join(bundle.directory, 'begun')))
    process.kill(await findWorker(runtime, program.pid), 'SIGKILL')
    expect(await program.ended).toBe(killed)
    expect(await program.modes()).toEqual(COOKED)
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })

  it('exec is killed while it enters is as it was, and nothing is left in the container', async () => {
    const { id } = startContainer(runtime)
    // Who enters a container that is paused stays where it is.
    expect(invoke(runtime, ['pause', id]).status).toBe(0)
    const words = ['--ignore-paused', '--tty', id, '/probe', 'sleep', '99']
    const program = await open(runtime, ['exec', ...words])
    const worker = await findWorker(runtime, program.pid)
    await waitUntil('its stage', () => childrenOf(worker).length > 0)
    process.kill(worker, 'SIGKILL')
    expect(await program.ended).toBe(killed)
    expect(await program.modes()).toEqual(COOKED)
    expect(invoke(runtime, ['resume', id]).status).toBe(0)
    await waitUntil('its end', () => !invoke(runtime, ['ps', id]).stdout.includes('sleep 99'))
  })

  const itHere = it.skipIf(runtime.name === 'runc')

  itHere('supervisor is killed', async () => {
    const { program } = await run(runtime, ['sleep', '60'])
    await untilRaw(program)
    process.kill(program.pid, 'SIGKILL')
    expect(await program.ended).toBe('signal 9')
    await untilCooked(program)
  })

  itHere('guardian is killed, and then the whole job', async () => {
    const { program } = await run(runtime, ['sleep', '60'])
    await untilRaw(program)
    await killGuardian(program.pid)
    process.kill(-program.pid, 'SIGKILL')
    expect(await program.ended).toBe('signal 9')
    await untilCooked(program)
  })
})
