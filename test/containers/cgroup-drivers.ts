/** Containers on cgroup v2, by either driver, and what the kernel says of their cgroups. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle, InvokeOptions, Patch, Runtime } from './rig.ts'

export interface Driver {
  readonly name: 'cgroupfs' | 'systemd'
  readonly globals: readonly string[]
  /** Puts the container where the driver has it. */
  readonly place: Patch
  /** Where that is on cgroup v2, below the mount point; absent: where cgroupsPath says. */
  readonly locate?: (bundle: Bundle) => string
}

const TOP = '/sys/fs/cgroup'
export const isUnified = existsSync(join(TOP, 'cgroup.controllers'))
const offered = isUnified ? readFileSync(join(TOP, 'cgroup.controllers'), 'utf8').split(/\s+/) : []
export const hasSystemd = existsSync('/run/systemd/system')

/** Why a test that needs these controllers of cgroup v2 is skipped; '' when it is not. */
export function whyNotUnified(...controllers: readonly string[]): string {
  if (!isUnified) return ' (skipped: this host has cgroup v1; npm run test:guest has v2)'
  const missing = controllers.filter((name) => !offered.includes(name))
  if (missing.length === 0) return ''
  return ` (skipped: no ${missing.join(', ')} controller here; npm run test:guest -- --full has them)`
}

/** Slices are made with the first unit in them: this one is nobody else's. */
const SLICE = 'tsrunctest.slice'

const CGROUPFS: Driver = { name: 'cgroupfs', globals: [], place: () => {} }

/** Where systemd runs the host and there is cgroup v2. */
export const SYSTEMD: Driver | undefined =
  hasSystemd && isUnified
    ? {
        name: 'systemd',
        globals: ['--systemd-cgroup'],
        place: (config, bundle) => {
          config.linux.cgroupsPath = `${SLICE}:${process.pid}:${unitName(bundle.directory)}`
        },
        locate: ({ directory }) => `/${SLICE}/${process.pid}-${unitName(directory)}.scope`,
      }
    : undefined

/** Of a run of all tests by one driver. */
const asked = process.env.TSRUNC_TEST_CGROUP_DRIVER || undefined

/** What tests that are about drivers take one by one; all others take the first. */
export const DRIVERS: readonly Driver[] = [CGROUPFS, SYSTEMD]
  .filter((driver) => driver !== undefined)
  .filter(({ name }) => asked === undefined || name === asked)

export function defaultDriver(): Driver {
  const [driver] = DRIVERS
  if (driver === undefined) throw new Error(`TSRUNC_TEST_CGROUP_DRIVER: no ${asked} here`)
  return driver
}

export function unitName(directory: string): string {
  return directory.replace(/.*\//, '')
}

export function withDriver(driver: Driver, options: InvokeOptions = {}): InvokeOptions {
  return { ...options, globals: [...driver.globals, ...(options.globals ?? [])] }
}

export function placed(driver: Driver, patch: Patch = () => {}): Patch {
  return (config, bundle) => {
    driver.place(config, bundle)
    patch(config, bundle)
  }
}

/** The directory of the cgroup that a process is in; crun puts init into one below the limits. */
export function cgroupOf(pid: number, runtime: Runtime): string {
  const text = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const path = /^0::(.*)$/m.exec(text)?.[1] ?? ''
  return join(TOP, runtime.name === 'crun' ? path.replace(/\/container$/, '') : path)
}

export function readCgroup(directory: string, file: string): string {
  return readFileSync(join(directory, file), 'utf8').trim()
}

/** Properties of a unit as systemd has them; '' for one that is not there. */
export function showUnit(unit: string, ...names: readonly string[]): Record<string, string> {
  const args = ['show', unit, ...names.map((name) => `--property=${name}`)]
  const { stdout } = spawnSync('systemctl', args, { encoding: 'utf8' })
  const pairs = stdout.trimEnd().split('\n')
  return Object.fromEntries(pairs.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<
    string,
    string
  >
}
