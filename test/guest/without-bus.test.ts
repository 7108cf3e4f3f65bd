/** The systemd driver where no message bus runs: systemd listens on a socket of its own for root. */
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cgroupOf,
  placed,
  readCgroup,
  SYSTEMD,
  showUnit,
  unitName,
  withDriver,
} from '../containers/cgroup-drivers.ts'
import {
  createContainer,
  describeContainers,
  freshId,
  invoke,
  type Runtime,
  waitForStatus,
} from '../containers/rig.ts'

/** Where systemd takes orders of root without a bus. */
const PRIVATE = '/run/systemd/private'
const QUIET = { status: 0, stdout: '', stderr: '' }
const BUS = ['dbus.socket', 'dbus.service']

/** `systemctl` of root needs no bus either. */
function systemctl(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('systemctl', words, { encoding: 'utf8' })
  if (stderr !== '') throw new Error(`systemctl ${words.join(' ')}: status ${status}: ${stderr}`)
  return stdout
}

/** systemd comes back to the bus by itself; the manager of logins and those of users do not. */
function startBus(): void {
  systemctl('start', ...BUS)
  systemctl('try-restart', 'systemd-logind.service', 'user@*.service')
}

describeContainers('--systemd-cgroup without a bus', (runtime) => {
  const driver = SYSTEMD
  if (driver === undefined) throw new Error('this is for the guest, whose bus may be stopped')

  describe('while dbus is stopped', () => {
    beforeAll(() => void systemctl('stop', ...BUS))
    afterAll(startBus)
    // Nobody has started it behind our back.
    afterEach(() => expect(systemctl('is-active', ...BUS)).toBe('inactive\ninactive\n'))

    it('a container is created, updated, entered, killed and deleted', async () => {
      const options = withDriver(driver)
      const call = (...args: string[]) => invoke(runtime, args, options)
      const limited = placed(driver, (config) => {
        config.linux.resources.memory = { limit: 64n << 20n }
      })
      const create = () => createContainer(runtime, [['sleep', '100000']], limited, options)
      if (isLost(runtime)) {
        expect(create).toThrow(/sd-bus/)
        return
      }
      const { id, bundle, pid } = create()
      const unit = `${process.pid}-${unitName(bundle.directory)}.scope`
      const directory = cgroupOf(pid, runtime)
      expect(directory).toContain(unit)
      expect(readCgroup(directory, 'memory.max')).toBe(String(64 << 20))
      expect(showUnit(unit, 'MemoryMax')).toEqual({ MemoryMax: String(64 << 20) })
      expect(call('start', id)).toMatchObject({ status: 0, stderr: '' })
      expect(call('update', '--memory', '50331648', id)).toMatchObject({ status: 0, stderr: '' })
      expect(showUnit(unit, 'MemoryMax')).toEqual({ MemoryMax: '50331648' })
      expect(call('exec', id, '/probe', 'exit', '4').status).toBe(4)
      expect(call('kill', id, 'KILL').status).toBe(0)
      await waitForStatus(runtime, id, 'stopped')
      expect(call('delete', id)).toMatchObject({ status: 0, stderr: '' })
      expect(showUnit(unit, 'LoadState')).toEqual({ LoadState: 'not-found' })
      expect(existsSync(directory)).toBe(false)
    })
  })

  // runc and crun say it otherwise.
  it.skipIf(runtime.name !== 'tsrunc')('while systemd is not to be reached at all', () => {
    const options = withDriver(driver)
    const { id, bundle } = createContainer(runtime, [['report']], placed(driver), options)
    const unit = `${process.pid}-${unitName(bundle.directory)}.scope`
    systemctl('stop', ...BUS)
    renameSync(PRIVATE, `${PRIVATE}.away`)
    try {
      const args = ['create', '--bundle', bundle.directory, freshId(runtime)]
      expect(invoke(runtime, args, options)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('--systemd-cgroup: systemd cannot be reached: sd_bus_'),
      })
      expect(invoke(runtime, ['delete', '--force', id], options)).toMatchObject({
        status: 0,
        stderr: expect.stringContaining(`unit ${unit} is left to systemd: sd_bus_`),
      })
    } finally {
      renameSync(`${PRIVATE}.away`, PRIVATE)
      startBus()
    }
    // Whether or not systemd still has the unit, its name is free.
    const again = freshId(runtime)
    const args = ['create', '--bundle', bundle.directory, again]
    expect(invoke(runtime, args, options)).toMatchObject(QUIET)
    expect(invoke(runtime, ['delete', '--force', again], options)).toMatchObject(QUIET)
    expect(showUnit(unit, 'LoadState')).toEqual({ LoadState: 'not-found' })
  })

  it('and afterwards, by the bus', () => {
    expect(systemctl('is-active', ...BUS)).toBe('active\nactive\n')
    const { pid } = createContainer(runtime, [['report']], placed(driver), withDriver(driver))
    expect(cgroupOf(pid, runtime)).toMatch(/\.scope$/)
  })
})

/** crun knows the bus alone. */
function isLost({ name }: Runtime): boolean {
  return name === 'crun'
}
