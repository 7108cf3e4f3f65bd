import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  cgroupDirectory,
  createContainer,
  describeContainers,
  invoke,
  type Runtime,
  unifiedCgroup,
  waitForStatus,
  waitUntil,
} from './rig.ts'

/** A running container whose first process has three children; their pids, ascending. */
async function startFamily(runtime: Runtime) {
  const container = createContainer(runtime, [['hold', '3']])
  invoke(runtime, ['start', container.id])
  await waitUntil('the children', () => container.stdout().includes('ready'))
  const { pid } = container
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  expect(children).toHaveLength(3)
  return { ...container, pids: [pid, ...children.map(Number)].toSorted((a, b) => a - b) }
}

function listPids(runtime: Runtime, id: string): number[] {
  const result = invoke(runtime, ['ps', '--format', 'json', id])
  expect(result).toMatchObject({ status: 0, stderr: '' })
  // Of none, runc says null.
  const pids = (JSON.parse(result.stdout) as number[] | null) ?? []
  return pids.toSorted((a, b) => a - b)
}

describeContainers('ps', (runtime) => {
  it('--format json is an array of pids, as engines read it', async () => {
    const { id, pids } = await startFamily(runtime)
    expect(listPids(runtime, id)).toEqual(pids)
  })

  it('is what ps -ef says of the processes of the container', async () => {
    const { id, pids } = await startFamily(runtime)
    const [header, ...lines] = invoke(runtime, ['ps', id]).stdout.trimEnd().split('\n')
    expect(header).toMatch(/^UID +PID +PPID .* CMD$/)
    expect(lines.map((line) => Number(line.split(/\s+/)[1]))).toEqual(pids)
    expect(lines.every((line) => line.includes('/probe hold 3'))).toBe(true)
  })

  it('takes arguments for ps(1), also such as look like flags of ours', async () => {
    const { id, pids } = await startFamily(runtime)
    const result = invoke(runtime, ['ps', id, '-A', '-o', 'ppid,pid', '--format', 'args'])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [, ...found] = result.stdout.trimEnd().split('\n')
    expect(found.map((line) => Number(line.trim().split(/\s+/)[1]))).toEqual(pids)
  })

  it('needs the column PID of ps(1)', async () => {
    const { id } = await startFamily(runtime)
    const result = invoke(runtime, ['ps', id, '-A', '-o', 'args'])
    expect(result).toMatchObject({ status: 1, stdout: '' })
    expect(result.stderr).toContain('PID')
    expect(invoke(runtime, ['ps', id, '--no-such-flag']).status).toBe(1)
  })

  it('finds processes in cgroups that were made below those of the container', async () => {
    const { id, pids, bundle } = await startFamily(runtime)
    const directory = unifiedCgroup(bundle) ?? cgroupDirectory('pids', bundle)
    const below = join(directory ?? '', 'below')
    mkdirSync(below)
    writeFileSync(join(below, 'cgroup.procs'), String(pids.at(-1)))
    expect(listPids(runtime, id)).toEqual(pids)
  })

  it('of a container that has stopped shows nobody', async () => {
    const { id } = await startFamily(runtime)
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    await waitUntil('the end of all', () => listPids(runtime, id).length === 0)
    expect(invoke(runtime, ['ps', id]).stdout.trimEnd().split('\n')).toHaveLength(1)
  })

  it('of a created container shows its one process', () => {
    const { id, pid } = createContainer(runtime, [['report']])
    expect(listPids(runtime, id)).toEqual([pid])
    expect(invoke(runtime, ['ps', '--format', 'xml', id]).status).toBe(1)
  })

  it('of an unknown container says so', () => {
    const result = invoke(runtime, ['ps', 'tsrunc-test-unknown'])
    expect(result).toMatchObject({ status: 1, stdout: '' })
    expect(result.stderr).toContain('does not exist')
  })
})
