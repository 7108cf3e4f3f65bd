/** A container in a unit of systemd: its name, its properties, and what is refused. */
import { describe, expect, test } from 'vitest'
import type { Resources } from '../../../../src/config/spec.ts'
import { SpecError } from '../../../../src/errors.ts'
import { planCreate } from '../../../../src/fields/plan-create.ts'
import { planUpdate } from '../../../../src/fields/plan-update.ts'
import type { SystemdFacts } from '../../../../src/host/facts.ts'
import { describeStep } from '../../../../src/plan/describe-step.ts'
import type { StartUnit, Step } from '../../../../src/plan/steps.ts'
import { FACTS, issuesOf, OPTIONS, SPEC } from '../../facts.ts'
import { HYBRID, UNIFIED } from '../hosts.ts'

const SYSTEMD: SystemdFacts = { controlGroup: '', version: 257 }

interface Case {
  readonly path?: string
  readonly resources?: Resources
  readonly annotations?: Record<string, string>
  readonly systemd?: SystemdFacts
  readonly cgroup?: typeof HYBRID
  readonly id?: string
  readonly userBus?: string
}

function plan({ path, resources, annotations, systemd, cgroup, id, userBus }: Case = {}) {
  const { namespaces = [] } = SPEC.linux ?? {}
  const linux = {
    namespaces,
    ...(resources && { resources }),
    ...(path !== undefined && { cgroupsPath: path }),
  }
  const options = { ...OPTIONS, systemdCgroup: true, id: id ?? 'web1', ...(userBus && { userBus }) }
  const facts = { ...FACTS, cgroup: cgroup ?? UNIFIED, systemd: systemd ?? SYSTEMD }
  return planCreate({ ...SPEC, linux, ...(annotations && { annotations }) }, options, facts).steps
}

function unitOf(steps: readonly Step[]): StartUnit {
  const unit = steps.find((step) => step.kind === 'start-unit')
  if (unit === undefined) throw new Error('no unit is planned')
  return unit
}

function properties(situation: Case): Record<string, unknown> {
  const entries = unitOf(plan(situation)).properties.map(({ name, value }) => [name, value])
  return Object.fromEntries(entries) as Record<string, unknown>
}

function refusal(situation: Case): string {
  try {
    plan(situation)
  } catch (error) {
    if (error instanceof SpecError) return issuesOf(error).join('; ')
  }
  throw new Error('it is planned')
}

test.each([
  [undefined, 'tsrunc-web1.scope', '/system.slice/tsrunc-web1.scope'],
  ['', 'tsrunc-web1.scope', '/system.slice/tsrunc-web1.scope'],
  ['machine.slice:libpod:a1', 'libpod-a1.scope', '/machine.slice/libpod-a1.scope'],
  ['a-b-c.slice:x:y', 'x-y.scope', '/a.slice/a-b.slice/a-b-c.slice/x-y.scope'],
  [':cri:z', 'cri-z.scope', '/system.slice/cri-z.scope'],
  ['-.slice::z', 'z.scope', '/z.scope'],
])('%s is the unit %s', (path, unit, cgroup) => {
  expect(unitOf(plan(path === undefined ? {} : { path }))).toMatchObject({ unit, path: cgroup })
})

test("the manager's own cgroup is above all units", () => {
  const systemd = { controlGroup: '/user.slice/user@1.service', version: 257 }
  const unit = unitOf(plan({ systemd, userBus: 'unix:path=/run/user/1/bus' }))
  expect(unit.path).toBe('/user.slice/user@1.service/user.slice/tsrunc-web1.scope')
  expect(unit.userBus).toBe('unix:path=/run/user/1/bus')
})

test('an id may have a plus sign, a unit may not', () => {
  expect(unitOf(plan({ id: 'a+b' })).unit).toBe('tsrunc-a\\x2bb.scope')
})

test.each([
  ['/absolute', 'slice:prefix:name'],
  ['a.slice:b', 'slice:prefix:name'],
  ['a.slice:b:', 'slice:prefix:name'],
  ['a.slice:b:c:d', 'slice:prefix:name'],
  ['a.slice:b:c/d', 'a unit of letters'],
  ['a:b:c', 'a slice such as'],
  ['a--b.slice:b:c', 'a slice such as'],
  ['../a.slice:b:c', 'a slice such as'],
  ['a.slice:b:c.slice', 'processes live in no slice'],
  [`a.slice:b:${'c'.repeat(250)}`, 'at most 255'],
])('%s is refused', (path, why) => {
  const message = refusal({ path })
  expect(message).toMatch(/^\/linux\/cgroupsPath: /)
  expect(message).toContain(why)
})

test('without systemd, or beside cgroup v1, it is an error', () => {
  const problem = 'sd_bus_flush("unix:path=/run/dbus/system_bus_socket"): ENOENT'
  expect(refusal({ systemd: { problem } })).toBe(
    `--systemd-cgroup: systemd cannot be reached: ${problem}`,
  )
  expect(refusal({ cgroup: HYBRID })).toMatch(/^--systemd-cgroup: .*cgroup v2 alone/)
})

describe('properties', () => {
  test('of every container', () => {
    expect(properties({})).toEqual({
      Description: 'tsrunc container web1',
      Slice: 'system.slice',
      Delegate: true,
      MemoryAccounting: true,
      CPUAccounting: true,
      IOAccounting: true,
      TasksAccounting: true,
      DefaultDependencies: false,
      CollectMode: 'inactive-or-failed',
    })
  })

  test('of limits, which are written as files as well', () => {
    const resources: Resources = {
      memory: { limit: 1000n, reservation: 500n, swap: 1500n },
      cpu: { shares: 1024n, quota: 33333n, period: 100000n, cpus: '0-1,9', mems: '0' },
      pids: { limit: -1n },
      unified: { 'memory.high': '900', 'memory.max': '800' },
    }
    expect(properties({ resources })).toMatchObject({
      MemoryMax: 800n,
      MemoryLow: 500n,
      MemorySwapMax: 500n,
      MemoryHigh: 900n,
      CPUWeight: 100n,
      CPUQuotaPerSecUSec: 340000n,
      CPUQuotaPeriodUSec: 100000n,
      AllowedCPUs: [3, 2],
      AllowedMemoryNodes: [1],
      TasksMax: 2n ** 64n - 1n,
    })
    const files = plan({ resources }).flatMap((step) =>
      step.kind === 'write-cgroup-file' ? [step.file] : [],
    )
    expect(files).toContain('memory.max')
    expect(files).toContain('cpu.max')
  })

  test('that an older systemd does not have are left to the files', () => {
    const resources = { cpu: { idle: 1n } }
    expect(properties({ resources })).toMatchObject({ CPUWeight: 0n })
    const old = properties({ resources, systemd: { controlGroup: '', version: 249 } })
    expect(old).not.toHaveProperty('CPUWeight')
  })

  test('of annotations', () => {
    const annotations = {
      'org.systemd.property.TimeoutStopSec': '1.5',
      'org.systemd.property.MemoryHigh': 'uint64 5',
      'org.systemd.property.After': "['a.service', 'b.service']",
      'org.systemd.property.MemoryMax': 'uint64 7',
      'org.other': 'x',
    }
    const resources = { memory: { limit: 9n } }
    expect(properties({ annotations, resources })).toMatchObject({
      TimeoutStopUSec: 1500000n,
      MemoryHigh: 5n,
      After: ['a.service', 'b.service'],
      MemoryMax: 7n,
    })
  })

  test.each([
    ['PIDs', '[uint32 1]', 'a property other than that'],
    ['ab', '1', 'three letters'],
    ['A.B.C', '1', 'three letters'],
    ['Foo-Bar', '1', 'three letters'],
    ['CPUWeight', 'uint64', 'GVariant'],
    ['CPUWeight', 'uint64 x', 'GVariant'],
    ['TimeoutStopSec', "'5'", 'a number of seconds'],
    ['TimeoutStopSec', '-5', 'not negative'],
  ])('%s = %s is refused', (name, value, why) => {
    const key = `org.systemd.property.${name}`
    const message = refusal({ annotations: { [key]: value } })
    expect(message).toMatch(new RegExp(`^/annotations/${key}: `))
    expect(message).toContain(why)
  })
})

test('update tells systemd what the kernel took, and has the last word itself', () => {
  const limits = { path: '/system.slice/a.scope', current: new Map(), unit: { name: 'a.scope' } }
  const facts = { ...FACTS, cgroup: UNIFIED, systemd: SYSTEMD }
  const { steps } = planUpdate({ memory: { limit: 5n } }, OPTIONS, facts, limits)
  expect(steps.map(describeStep)).toEqual([
    'write 5 to /sys/fs/cgroup/system.slice/a.scope/memory.max',
    'set properties of unit a.scope (MemoryMax=5)',
    'write 5 to /sys/fs/cgroup/system.slice/a.scope/memory.max',
  ])
  const devices = { devices: [{ allow: false }] }
  const kinds = planUpdate(devices, OPTIONS, facts, limits).steps.map(({ kind }) => kind)
  expect(kinds).toEqual(['attach-device-filter'])
})

test('plan shows the unit with its properties, and the stage is cloned in it', () => {
  const steps = plan({ resources: { memory: { limit: -1n } } })
  expect(describeStep(unitOf(steps))).toMatch(
    /^start unit tsrunc-web1\.scope around init, its cgroup \/system\.slice\/tsrunc-web1\.scope \(Description="tsrunc container web1", Slice=system\.slice, Delegate=true.*MemorySwapMax=infinity, MemoryMax=infinity\)$/,
  )
  expect(steps.find((step) => step.kind === 'clone-init')).not.toHaveProperty('intoCgroup')
})
