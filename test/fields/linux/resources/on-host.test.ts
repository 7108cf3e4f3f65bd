/** The kernel of this host takes what is planned for its v1 controllers. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Linux, Resources } from '../../../../src/config/spec.ts'
import { cgroupsPath } from '../../../../src/fields/linux/cgroups-path.ts'
import { resources as fields } from '../../../../src/fields/linux/resources.ts'
import { planFields } from '../../../../src/fields/walk.ts'
import type { CgroupHierarchy } from '../../../../src/host/facts.ts'
import type { MakeCgroup, Step, WriteCgroupFile } from '../../../../src/plan/steps.ts'
import { planningOf } from '../hosts.ts'

const PATH = `/tsrunc-test-limits-${process.pid}`
const WANTED = ['memory', 'cpu', 'cpuset', 'pids', 'devices']

const v1 = readFileSync('/proc/self/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .flatMap(([, mountpoint = '', type, options = '']): CgroupHierarchy[] =>
    type === 'cgroup' ? [{ mountpoint, controllers: options.split(',') }] : [],
  )
const missing = WANTED.filter((name) => !v1.some(({ controllers }) => controllers.includes(name)))
const why =
  process.geteuid?.() !== 0
    ? ' (skipped: not root)'
    : missing.length > 0
      ? ` (skipped: no v1 controllers ${missing.join(', ')})`
      : ''

const made: string[] = []

afterEach(() => {
  for (const directory of made.splice(0)) rmdirSync(directory)
})

function make({ hierarchy, path, inherit }: MakeCgroup): void {
  const directory = join(hierarchy, path)
  mkdirSync(directory)
  made.push(directory)
  for (const file of inherit) {
    writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file)))
  }
}

function read(controller: string, file: string): string {
  const hierarchy = v1.find(({ controllers }) => controllers.includes(controller))
  return readFileSync(join(hierarchy?.mountpoint ?? '', PATH, file), 'utf8').trim()
}

test.skipIf(why !== '')(`limits are in force${why}`, () => {
  const resources: Resources = {
    memory: { limit: 67108864n, swap: 134217728n, reservation: 33554432n, swappiness: 10n },
    cpu: { shares: 512n, quota: 50000n, period: 100000n, burst: 10000n, cpus: '0', mems: '0' },
    pids: { limit: 20n },
    devices: [{ allow: false }, { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }],
  }
  const linux: Linux = { cgroupsPath: PATH, resources }
  const planning = planningOf({ linux, cgroup: { mode: 'legacy', v1 } })
  const place = planFields({ cgroupsPath }, { cgroupsPath: PATH }, '/linux', planning)
  const limits = planFields(fields, resources, '/linux/resources', planning)
  expect([place.issues, limits.issues]).toEqual([[], []])
  for (const step of place.steps ?? []) if (step.kind === 'make-cgroup') make(step)
  for (const step of (limits.steps ?? []).filter(isWrite)) {
    writeFileSync(join(step.hierarchy, step.path, step.file), step.value)
  }
  expect(read('memory', 'memory.limit_in_bytes')).toBe('67108864')
  expect(read('memory', 'memory.memsw.limit_in_bytes')).toBe('134217728')
  expect(read('cpu', 'cpu.cfs_quota_us')).toBe('50000')
  expect(read('cpu', 'cpu.cfs_burst_us')).toBe('10000')
  expect(read('cpuset', 'cpuset.cpus')).toBe('0')
  expect(read('pids', 'pids.max')).toBe('20')
  expect(read('devices', 'devices.list').split('\n')).toEqual([
    'c 10:229 rw',
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
  ])
})

function isWrite(step: Step): step is WriteCgroupFile {
  return step.kind === 'write-cgroup-file'
}
