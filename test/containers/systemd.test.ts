/** The systemd driver: what the unit is, what ends it, and what a crash leaves. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import {
  cgroupOf,
  placed,
  readCgroup,
  SYSTEMD,
  showUnit,
  unitName,
  whyNotUnified,
  withDriver,
} from './cgroup-drivers.ts'
import {
  type Bundle,
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  listContainerDirectories,
  type Patch,
  probeArguments,
  readState,
  waitUntil,
} from './rig.ts'

const systemd = SYSTEMD
const why = systemd === undefined ? whyNotUnified() || ' (skipped: no systemd runs here)' : ''

function unitOf(bundle: Bundle): string {
  return `${process.pid}-${unitName(bundle.directory)}.scope`
}

function isThere(unit: string): boolean {
  return showUnit(unit, 'LoadState', 'ActiveState').LoadState === 'loaded'
}

describeContainers('--systemd-cgroup', (runtime) => {
  if (systemd === undefined) {
    it.skip(`makes units${why}`, () => {})
    return
  }
  const options = withDriver(systemd)
  const call = (...args: string[]) => invoke(runtime, args, options)
  const create = (patch?: Patch) =>
    createContainer(runtime, [['sleep', '100000']], placed(systemd, patch), options)

  it('the limits are properties of the unit, so that systemd does not undo them', () => {
    const { bundle, pid } = create((config) => {
      config.linux.resources = {
        memory: { limit: 64n << 20n },
        cpu: { quota: 30000n, period: 100000n },
        pids: { limit: 33n },
      }
    })
    const names = ['MemoryMax', 'CPUQuotaPerSecUSec', 'TasksMax', 'Slice', 'Delegate']
    expect(showUnit(unitOf(bundle), ...names)).toEqual({
      MemoryMax: String(64 << 20),
      CPUQuotaPerSecUSec: '300ms',
      TasksMax: '33',
      Slice: 'tsrunctest.slice',
      Delegate: 'yes',
    })
    spawnSync('systemctl', ['daemon-reload'])
    expect(readCgroup(cgroupOf(pid, runtime), 'memory.max')).toBe(String(64 << 20))
    expect(readCgroup(cgroupOf(pid, runtime), 'pids.max')).toBe('33')
  })

  it('annotations are properties, seconds are microseconds', () => {
    const { bundle } = create((config) => {
      config.annotations = {
        'org.systemd.property.TimeoutStopSec': '17',
        'org.systemd.property.Description': "'one of the tests'",
      }
    })
    expect(showUnit(unitOf(bundle), 'TimeoutStopUSec', 'Description')).toEqual({
      TimeoutStopUSec: '17s',
      Description: 'one of the tests',
    })
  })

  it('update tells the unit', () => {
    const { id, bundle } = create()
    expect(call('start', id).status).toBe(0)
    expect(call('update', '--memory', '50331648', '--pids-limit', '44', id)).toMatchObject({
      status: 0,
    })
    expect(showUnit(unitOf(bundle), 'MemoryMax', 'TasksMax')).toEqual({
      MemoryMax: '50331648',
      TasksMax: '44',
    })
  })

  it.skipIf(runtime.name !== 'tsrunc')('an update that fails has told the unit nothing', () => {
    const { id, bundle, pid } = create((config) => {
      config.linux.resources = { memory: { limit: 64n << 20n } }
    })
    expect(call('start', id).status).toBe(0)
    const flags = ['--memory', '50331648', '--cpu-period', '1', '--cpu-quota', '1']
    const { status, stderr } = call('update', ...flags, id)
    expect(status).toBe(1)
    expect(stderr).toMatch(/\/cpu\/\w+: write\(.*cpu\.max.*EINVAL/)
    expect(stderr).not.toContain('already in force')
    expect(readCgroup(cgroupOf(pid, runtime), 'memory.max')).toBe(String(64 << 20))
    expect(showUnit(unitOf(bundle), 'MemoryMax')).toEqual({ MemoryMax: String(64 << 20) })
  })

  // crun has a level of its own there anyway, runc knows none.
  it.skipIf(runtime.name !== 'tsrunc')('a level below the unit, with its controllers', () => {
    const { pid } = create((config) => {
      config.annotations = { 'run.oci.systemd.subgroup': 'inner' }
      config.linux.resources = { memory: { limit: 64n << 20n } }
    })
    const directory = cgroupOf(pid, runtime)
    expect(directory).toMatch(/\.scope\/inner$/)
    expect(readCgroup(join(directory, '..'), 'memory.max')).toBe(String(64 << 20))
    expect(readCgroup(directory, 'cgroup.controllers')).toContain('memory')
    expect(readCgroup(directory, 'memory.max')).toBe('max')
  })

  it('delete stops the unit of a container that runs, and nothing is left', () => {
    const { id, bundle, pid } = create()
    const directory = cgroupOf(pid, runtime)
    expect(call('start', id).status).toBe(0)
    expect(call('delete', '--force', id)).toMatchObject({ status: 0, stderr: '' })
    expect(isThere(unitOf(bundle))).toBe(false)
    expect(existsSync(directory)).toBe(false)
  })

  it('after run in the foreground there is no unit and no state', async () => {
    const bundle = createBundle(
      placed(systemd, (config) => {
        config.process.args = probeArguments([['exit', '7']])
      }),
    )
    const result = call('run', '--bundle', bundle.directory, freshId(runtime))
    expect(result.status).toBe(7)
    await waitUntil('the unit to be gone', () => !isThere(unitOf(bundle)))
    expect(listContainerDirectories()).toEqual([])
  })

  it('a unit of that name which lives is not touched', () => {
    const bundle = createBundle(placed(systemd))
    const unit = unitOf(bundle)
    const args = ['--scope', `--unit=${unit}`, '--slice=tsrunctest.slice', 'sleep', '1000']
    const other = spawn('systemd-run', args, { stdio: 'ignore' })
    onTestFinished(() => void other.kill('SIGKILL'))
    const deadline = Date.now() + 20_000
    while (!isThere(unit) && Date.now() < deadline) spawnSync('sleep', ['0.1'])
    const { status, stderr } = call('create', '--bundle', bundle.directory, freshId(runtime))
    expect(status).toBe(1)
    if (runtime.name === 'tsrunc') {
      expect(stderr).toContain('/linux/cgroupsPath')
      expect(stderr).toContain('1 process(es) found')
    }
    expect(showUnit(unit, 'ActiveState')).toEqual({ ActiveState: 'active' })
    expect(other.exitCode).toBe(null)
  })

  it('a unit of that name which failed is forgotten', () => {
    const bundle = createBundle(placed(systemd))
    const unit = unitOf(bundle)
    const args = ['--scope', `--unit=${unit}`, '--slice=tsrunctest.slice', '-p']
    const limits = ['RuntimeMaxSec=1', 'sleep', '1000']
    spawnSync('systemd-run', [...args, ...limits], { stdio: 'ignore', timeout: 30_000 })
    expect(showUnit(unit, 'ActiveState')).toEqual({ ActiveState: 'failed' })
    const id = freshId(runtime)
    const result = call('create', '--bundle', bundle.directory, id)
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(readState(runtime, id).status).toBe('created')
  })

  // runc takes the property as it is, and says what systemd says.
  it.skipIf(runtime.name !== 'tsrunc')('what systemd refuses is told with the field', () => {
    const bundle = createBundle(
      placed(systemd, (config) => {
        config.annotations = { 'org.systemd.property.NoSuchThing': 'true' }
      }),
    )
    const { status, stderr } = call('create', '--bundle', bundle.directory, freshId(runtime))
    expect(status).toBe(1)
    expect(stderr).toContain('/annotations/org.systemd.property.NoSuchThing: unit ')
    expect(isThere(unitOf(bundle))).toBe(false)
    expect(listContainerDirectories()).toEqual([])
  })

  it.skipIf(runtime.name !== 'tsrunc')(
    'create killed at any time leaves what delete removes',
    async () => {
      for (const delay of [400, 900, 1400, 2000]) {
        const bundle = createBundle(placed(systemd))
        const id = freshId(runtime)
        const args = ['--root', `${bundle.directory}/state`, '--systemd-cgroup']
        const child = spawn(runtime.path, [...args, 'create', '--bundle', bundle.directory, id], {
          stdio: 'ignore',
        })
        const ended = new Promise((settle) => child.on('exit', settle))
        setTimeout(() => child.kill('SIGKILL'), delay)
        await ended
        const removed = spawnSync(runtime.path, [...args, 'delete', '--force', id], {
          encoding: 'utf8',
        })
        expect(removed.status, removed.stderr).toBe(0)
        await waitUntil('the unit to be gone', () => !isThere(unitOf(bundle)))
      }
    },
  )
})
