/** Compiled device filters on the real kernel: it takes them, and they judge. */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DeviceRule } from '../../src/config/spec.ts'
import {
  compileDeviceFilter,
  encodeInstructions,
} from '../../src/fields/linux/resources/device-filter.ts'
import {
  ANY,
  type DevicePolicy,
  resolveDeviceRules,
} from '../../src/fields/linux/resources/device-rules.ts'
import {
  attachDeviceFilter,
  detachDeviceFilter,
  isOurDeviceFilter,
  loadDeviceFilter,
  openDeviceFilter,
  queryDeviceFilters,
  replaceDeviceFilter,
} from '../../src/sys/bpf.ts'

const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
const mountpoint = mounts
  .map((line) => line.split(' '))
  .find(([, , type]) => type === 'cgroup2')?.[1]
const why = findObstacle()

function findObstacle(): string {
  if (process.geteuid?.() !== 0) return ' (skipped: not root)'
  if (mountpoint === undefined) return ' (skipped: no cgroup v2 is mounted)'
  if (!existsSync('/dev/kmsg')) return ' (skipped: no /dev/kmsg to be denied)'
  return ''
}

/** The kernel log: a device that no default rule names. */
const KMSG: DeviceRule = { allow: true, type: 'c', major: 1, minor: 11 }

function compile(policy: DevicePolicy): Uint8Array {
  return encodeInstructions(compileDeviceFilter(policy))
}

function compileRules(...rules: DeviceRule[]): Uint8Array {
  return compile(resolveDeviceRules(rules, '').policy)
}

describe.skipIf(why !== '')(`a device filter in the kernel${why}`, () => {
  let directory: string
  let cgroup: number

  beforeEach(() => {
    directory = join(mountpoint ?? '', `tsrunc-test-bpf-${process.pid}`)
    mkdirSync(directory)
    cgroup = openSync(directory, 'r')
  })

  afterEach(() => {
    closeSync(cgroup)
    rmdirSync(directory)
  })

  /** Whether a process in the cgroup can do it. */
  function can(command: string): boolean {
    const script = `echo $$ > ${directory}/cgroup.procs && ${command}`
    const { status } = spawnSync('sh', ['-c', script], { timeout: 10_000, stdio: 'ignore' })
    return status === 0
  }

  function attach(program: Uint8Array): void {
    const loaded = loadDeviceFilter(program)
    attachDeviceFilter(cgroup, loaded)
    closeSync(loaded)
  }

  test('without one every device can be opened', () => {
    expect(can(': < /dev/kmsg')).toBe(true)
  })

  test('the default rules let the default devices through, and mknod of any', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'tsrunc-test-bpf-'))
    try {
      attach(compileRules())
      expect(can(': < /dev/null && : > /dev/null && : <> /dev/zero')).toBe(true)
      expect(can(': < /dev/kmsg')).toBe(false)
      expect(can(`mknod ${scratch}/kmsg c 1 11 && mknod ${scratch}/disk b 250 7`)).toBe(true)
      expect(can(`: < ${scratch}/kmsg`)).toBe(false)
    } finally {
      rmSync(scratch, { recursive: true })
    }
  })

  test('each access is judged by itself', () => {
    attach(compileRules({ ...KMSG, access: 'r' }))
    expect(can(': < /dev/kmsg')).toBe(true)
    expect(can(': > /dev/kmsg')).toBe(false)
    expect(can(': <> /dev/kmsg')).toBe(false)
  })

  test('exceptions from allow-all deny', () => {
    attach(compileRules({ allow: true }, { ...KMSG, allow: false, access: 'w' }))
    expect(can(': < /dev/kmsg && : < /dev/null')).toBe(true)
    expect(can(': > /dev/kmsg')).toBe(false)
    expect(can(': <> /dev/kmsg')).toBe(false)
  })

  test('the verifier takes the widest numbers and as many rules as there may be', () => {
    const exceptions = Array.from({ length: 4096 }, (_, minor) => {
      return { type: 'c', major: 0xffff_ffff - minor, minor, access: 3 } as const
    })
    const nothing = { type: 'b', major: ANY, minor: ANY, access: 7 } as const
    for (const allowByDefault of [false, true]) {
      closeSync(loadDeviceFilter(compile({ allowByDefault, exceptions: [nothing, ...exceptions] })))
    }
  })

  test('nothing that an exception for all hides is left in the program', () => {
    const all = { type: 'c', major: 10, minor: ANY, access: 7 } as const
    const exceptions = [all, { ...all, minor: 229, access: 3 }, { ...all, major: ANY }] as const
    for (const allowByDefault of [false, true]) {
      closeSync(loadDeviceFilter(compile({ allowByDefault, exceptions })))
    }
  })

  test('attached ones can be listed, and detached', () => {
    expect(queryDeviceFilters(cgroup)).toEqual([])
    attach(compileRules())
    attach(compileRules(KMSG))
    const attached = queryDeviceFilters(cgroup)
    expect(attached).toHaveLength(2)
    for (const id of attached) {
      const program = openDeviceFilter(id)
      detachDeviceFilter(cgroup, program)
      closeSync(program)
    }
    expect(queryDeviceFilters(cgroup)).toEqual([])
    expect(can(': < /dev/kmsg')).toBe(true)
  })

  test('one replaces another at once, and strangers stay', () => {
    attach(compileRules())
    const [id = 0] = queryDeviceFilters(cgroup)
    const former = openDeviceFilter(id)
    expect(isOurDeviceFilter(former)).toBe(true)
    const next = loadDeviceFilter(compileRules(KMSG))
    replaceDeviceFilter(cgroup, next, former)
    closeSync(next)
    expect(queryDeviceFilters(cgroup)).toHaveLength(1)
    expect(queryDeviceFilters(cgroup)).not.toEqual([id])
    expect(can(': < /dev/kmsg')).toBe(true)
    const other = loadDeviceFilter(compileRules())
    expect(() => replaceDeviceFilter(cgroup, other, former)).toThrow('ENOENT')
    closeSync(other)
    closeSync(former)
  })

  test('what is no program is refused by name', () => {
    expect(() => loadDeviceFilter(new Uint8Array(8))).toThrow(
      /^bpf\(BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE, 8 bytes\): EINVAL/,
    )
  })
})
