/** Pause, resume and update of a container on the real kernel, and what a failure leaves. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareUpdate } from '../../src/cli/prepare-update.ts'
import type { Resources } from '../../src/config/spec.ts'
import { createContainer } from '../../src/engine/create.ts'
import { deleteContainer } from '../../src/engine/delete.ts'
import { pauseContainer, resumeContainer } from '../../src/engine/pause.ts'
import { startContainer } from '../../src/engine/start.ts'
import { updateContainer } from '../../src/engine/update.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { HIERARCHIES } from './cgroups/rig.ts'
import { plainConfig } from './plain-config.ts'
import {
  closeRig,
  findCgroups,
  makeBundle,
  openRig,
  prepare,
  type Rig,
  readRequest,
  readState,
  whyNot,
} from './rig.ts'

const reason = whyNot()
const isUnified = HIERARCHIES.mode === 'unified'
const offered = [...HIERARCHIES.v1, ...(HIERARCHIES.v2 ? [HIERARCHIES.v2] : [])].flatMap(
  ({ controllers }) => controllers,
)
const why = ['memory', 'cpu', 'pids'].every((name) => offered.includes(name))
  ? reason
  : (reason ?? 'no memory, cpu or pids controller')

describe.skipIf(why !== undefined)(`a running container${why ? ` (skipped: ${why})` : ''}`, () => {
  const id = 'changing'
  let rig: Rig

  beforeAll(() => {
    rig = openRig('update')
    const bundle = makeBundle(rig, 'ticker', () => ({
      ...plainConfig({
        cgroupsPath: `${rig.name}/ticker`,
        args: ['/probe', 'burn', '600000'],
        memory: 64n << 20n,
      }),
    }))
    const { pidfd } = createContainer(prepare(rig, bundle, id))
    closeFd(pidfd)
    startContainer(rig.root, id, hostArchitecture())
  }, 60_000)

  afterAll(() => {
    deleteContainer({
      rootPath: rig.root,
      id,
      force: true,
      architecture: hostArchitecture(),
      warn: () => {},
    })
    closeRig(rig)
  })

  function update(resources: Resources): void {
    updateContainer(rig.root, id, (record) => prepareUpdate(resources, record, readRequest()))
  }

  /** Of the v1 file, or of the v2 file. */
  function read(v1: string, v2: string): string {
    const file = isUnified ? v2 : v1
    const directory = findCgroups(rig.name).find((path) => existsSync(join(path, 'ticker', file)))
    return readFileSync(join(directory ?? '', 'ticker', file), 'latin1').trim()
  }

  /** Clock ticks that its process has used. */
  function usedTime(): number {
    const { pid } = readState(rig, id)
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /s, '').split(' ')
    return Number(fields[11]) + Number(fields[12])
  }

  it('stands still while it is paused, and goes on', async () => {
    pauseContainer(rig.root, id)
    expect(readState(rig, id).status).toBe('paused')
    const before = usedTime()
    await new Promise((wake) => setTimeout(wake, 100))
    expect(usedTime()).toBe(before)
    expect(() => pauseContainer(rig.root, id)).toThrow('container not running')
    resumeContainer(rig.root, id)
    expect(readState(rig, id).status).toBe('running')
    await expect.poll(usedTime).toBeGreaterThan(before)
    expect(() => resumeContainer(rig.root, id)).toThrow('container not paused')
  })

  it('gets other limits, up and down, and keeps those that are not named', () => {
    const limit = () => read('memory.limit_in_bytes', 'memory.max')
    update({ memory: { limit: 128n << 20n, swap: 256n << 20n } })
    expect(limit()).toBe(String(128 << 20))
    update({ memory: { limit: 32n << 20n, swap: 64n << 20n }, pids: { limit: 77n } })
    expect(limit()).toBe(String(32 << 20))
    expect(read('pids.max', 'pids.max')).toBe('77')
    update({ memory: { swap: 80n << 20n } })
    expect(read('memory.memsw.limit_in_bytes', 'memory.swap.max')).toBe(
      String((isUnified ? 48 : 80) << 20),
    )
    update({ cpu: { quota: 30000n, period: 50000n } })
    update({ cpu: { quota: 20000n } })
    if (isUnified) expect(read('', 'cpu.max')).toBe('20000 50000')
    else
      expect([read('cpu.cfs_quota_us', ''), read('cpu.cfs_period_us', '')]).toEqual([
        '20000',
        '50000',
      ])
    update({ cpu: { period: 40000n } })
    if (isUnified) expect(read('', 'cpu.max')).toBe('20000 40000')
    expect(limit()).toBe(String(32 << 20))
    expect(read('pids.max', 'pids.max')).toBe('77')
  })

  it('refuses a limit below what it uses when checkBeforeUpdate asks for that', () => {
    expect(() => update({ memory: { limit: 4096n, checkBeforeUpdate: true } })).toThrow(
      /\/memory\/limit: expected at least the \d+ bytes that are in use \(checkBeforeUpdate\), found 4096/,
    )
  })

  it('keeps its limits when the kernel refuses one of the new ones', () => {
    update({ pids: { limit: 50n } })
    const impossible = { cpus: '9999' }
    const bad: Resources = offered.includes('cpuset')
      ? { pids: { limit: 60n }, memory: { limit: 40n << 20n, swap: 80n << 20n }, cpu: impossible }
      : { memory: { limit: 40n << 20n, swap: 80n << 20n }, cpu: { quota: 1n, period: 1n } }
    expect(() => update(bad)).toThrow(/^\/cpu\/(cpus|quota|period): write\(.*(EINVAL|ERANGE)/)
    expect(read('pids.max', 'pids.max')).toBe('50')
    expect(read('memory.limit_in_bytes', 'memory.max')).toBe(String(32 << 20))
  })

  it('gets other device rules, and stays as it was by a rule that does not fit', () => {
    const kmsg = { allow: true, type: 'c', major: 1, minor: 11, access: 'r' } as const
    update({ devices: [{ allow: false }, kmsg] })
    if (!isUnified) expect(read('devices.list', '')).toContain('c 1:11 r')
    expect(readState(rig, id).status).toBe('running')
    update({ pids: { limit: 51n } })
    if (!isUnified) expect(read('devices.list', '')).toContain('c 1:11 r')
    update({ devices: [{ allow: false }] })
    if (!isUnified) expect(read('devices.list', '')).not.toContain('c 1:11')
  })

  it('that is paused stays paused when it is updated', () => {
    pauseContainer(rig.root, id)
    update({ pids: { limit: 52n }, devices: [{ allow: false }] })
    expect(readState(rig, id).status).toBe('paused')
    resumeContainer(rig.root, id)
  })

  it('that was frozen by hand is thawed', () => {
    const file = isUnified ? 'cgroup.freeze' : 'freezer.state'
    const [directory = ''] = findCgroups(rig.name).filter((path) => existsSync(join(path, file)))
    writeFileSync(join(directory, file), isUnified ? '1' : 'FROZEN')
    expect(readState(rig, id).status).toBe('paused')
    resumeContainer(rig.root, id)
    expect(readState(rig, id).status).toBe('running')
  })

  it('moves into a group of resctrl, which is noted first', () => {
    // A plain directory: this shows what is ours, not what the kernel would do.
    const path = join(rig.home, 'group')
    mkdirSync(path)
    for (const file of ['schemata', 'tasks']) writeFileSync(join(path, file), '')
    const at = { origin: '--l3-cache-schema' }
    updateContainer(rig.root, id, () => ({
      warnings: [],
      steps: [
        {
          ...at,
          kind: 'make-resctrl-group',
          phase: 'cgroup',
          path,
          sharing: 'own',
          schemata: ['L3:0=f'],
        },
        { ...at, kind: 'join-resctrl-group', phase: 'process', path },
      ],
    }))
    expect(readFileSync(join(path, 'schemata'), 'utf8')).toBe('L3:0=f\n')
    expect(readFileSync(join(path, 'tasks'), 'utf8')).toContain(String(readState(rig, id).pid))
    const state = JSON.parse(readFileSync(join(rig.root, id, 'state.json'), 'utf8'))
    expect(state.resctrlGroups).toEqual([path])
    rmSync(path, { recursive: true })
  })
})
