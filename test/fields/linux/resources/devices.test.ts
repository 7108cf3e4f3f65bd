import { describe, expect, test } from 'vitest'
import type { DeviceRule } from '../../../../src/config/spec.ts'
import {
  compileDeviceFilter,
  listInstructions,
} from '../../../../src/fields/linux/resources/device-filter.ts'
import {
  formatRule,
  resolveDeviceRules,
} from '../../../../src/fields/linux/resources/device-rules.ts'
import { devices } from '../../../../src/fields/linux/resources/devices.ts'
import { planFields } from '../../../../src/fields/walk.ts'
import type { CgroupFacts } from '../../../../src/host/facts.ts'
import { HYBRID, planningOf, UNIFIED } from '../hosts.ts'

const AT = '/linux/resources/devices'

/** What every container may use: mknod of anything, and the devices that make a /dev. */
const DEFAULTS = [
  'c *:* m',
  'b *:* m',
  'c 1:3 rwm',
  'c 1:5 rwm',
  'c 1:7 rwm',
  'c 1:8 rwm',
  'c 1:9 rwm',
  'c 5:0 rwm',
  'c 5:1 rwm',
  'c 5:2 rwm',
  'c 136:* rwm',
]

const DENY_ALL: DeviceRule = { allow: false, access: 'rwm' }
const ALLOW_ALL: DeviceRule = { allow: true, type: 'a', major: -1, minor: -1, access: 'rwm' }
const FUSE: DeviceRule = { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }

function resolve(...rules: DeviceRule[]) {
  const { policy, issues } = resolveDeviceRules(rules, AT)
  const pointers = issues.map(({ pointer }) => pointer)
  return [policy.allowByDefault, policy.exceptions.map(formatRule), pointers]
}

describe('a list of rules is a default and its exceptions', () => {
  test('nothing: the default devices', () => {
    expect(resolve()).toEqual([false, DEFAULTS, []])
    expect(resolve(DENY_ALL)).toEqual([false, DEFAULTS, []])
  })

  test('a rule for all types forgets what came before', () => {
    expect(resolve(FUSE, DENY_ALL)).toEqual([false, DEFAULTS, []])
    expect(resolve(FUSE, ALLOW_ALL)).toEqual([true, [], []])
    expect(resolve(ALLOW_ALL, DENY_ALL, FUSE)[1]).toContain('c 10:229 rw')
  })

  test('accesses to the same numbers add up, and are taken back one by one', () => {
    const mknod: DeviceRule = { ...FUSE, access: 'm' }
    expect(resolve(FUSE, mknod)[1]).toContain('c 10:229 rwm')
    expect(resolve(FUSE, { ...FUSE, allow: false, access: 'w' })[1]).toContain('c 10:229 r')
    expect(resolve(FUSE, { ...FUSE, allow: false })).toEqual([false, DEFAULTS, []])
  })

  test('taking back what was never given does nothing', () => {
    expect(resolve(DENY_ALL, { ...FUSE, allow: false })).toEqual([false, DEFAULTS, []])
  })

  test('where all is allowed, what is denied is the exception', () => {
    expect(resolve(ALLOW_ALL, { ...FUSE, allow: false })).toEqual([true, ['c 10:229 rw'], []])
  })

  test('a hole in a wider rule is refused: v1 would ignore it', () => {
    const wide: DeviceRule = { allow: true, type: 'b', major: 8, access: 'rw' }
    const hole: DeviceRule = { allow: false, type: 'b', major: 8, minor: 0, access: 'w' }
    expect(resolve(wide, hole)[2]).toEqual([`${AT}/1`])
    expect(resolve(wide, { ...hole, access: 'm' })[2]).toEqual([])
    expect(resolve(ALLOW_ALL, { allow: false, type: 'c' })[2]).toContain(AT)
  })

  test('a rule that grants no access does nothing', () => {
    expect(resolve({ ...FUSE, access: '' })).toEqual([false, DEFAULTS, []])
  })
})

function plan(rules: readonly DeviceRule[] | undefined, cgroup: CgroupFacts) {
  const planning = planningOf({ cgroup })
  const table = { devices }
  const value = rules === undefined ? {} : { devices: rules }
  return planFields<{ devices?: readonly DeviceRule[] }>(table, value, '/linux/resources', planning)
}

function filterOf(rules: readonly DeviceRule[], hierarchy: string) {
  const listing = listInstructions(compileDeviceFilter(resolveDeviceRules(rules, AT).policy))
  return {
    kind: 'attach-device-filter',
    phase: 'cgroup',
    origin: AT,
    hierarchy,
    path: '/tsrunc/web1',
    program: expect.any(String),
    listing,
  }
}

function write(file: string, value: string) {
  return {
    kind: 'write-cgroup-file',
    phase: 'cgroup',
    origin: AT,
    hierarchy: '/sys/fs/cgroup/devices',
    path: '/tsrunc/web1',
    file,
    value,
  }
}

describe('the steps', () => {
  test('without rules the default ones hold, in v1 and in v2 of a hybrid host', () => {
    expect(plan(undefined, HYBRID).steps).toEqual([
      write('devices.deny', 'a'),
      ...DEFAULTS.map((rule) => write('devices.allow', rule)),
      filterOf([], '/sys/fs/cgroup/unified'),
    ])
  })

  test('a unified host has only the filter', () => {
    expect(plan([FUSE], UNIFIED).steps).toEqual([filterOf([FUSE], '/sys/fs/cgroup')])
  })

  test('a privileged container needs no filter', () => {
    expect(plan([ALLOW_ALL], UNIFIED).steps).toEqual([])
    expect(plan([ALLOW_ALL], HYBRID).steps).toEqual([write('devices.allow', 'a')])
  })

  test('exceptions from allow-all are denied', () => {
    const rules = [ALLOW_ALL, { ...FUSE, allow: false }]
    expect(plan(rules, HYBRID).steps).toEqual([
      write('devices.allow', 'a'),
      write('devices.deny', 'c 10:229 rw'),
      filterOf(rules, '/sys/fs/cgroup/unified'),
    ])
  })

  test('more rules than a program can hold are refused', () => {
    const rules = Array.from({ length: 5000 }, (_, minor) => ({ ...FUSE, minor }))
    expect(plan(rules, UNIFIED).issues?.map(({ found }) => found)).toEqual(['5000'])
  })
})
