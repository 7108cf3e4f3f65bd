/** On this host's own file system, as root, to whom only what is not there is closed. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { CgroupFacts } from '../../src/host/facts.ts'
import { markClosed } from '../../src/host/open-cgroups.ts'

const OWN = '3:cpu,cpuacct:/user/mine\n1:name=systemd:/gone\n0::/user.slice/app.slice/mine.scope\n'

function makeHierarchy(...paths: string[]): string {
  const base = mkdtempSync(join(tmpdir(), 'tsrunc-test-cgroups-'))
  onTestFinished(() => rmSync(base, { recursive: true }))
  for (const path of paths) mkdirSync(join(base, path), { recursive: true })
  return base
}

test('relative paths of v2 lie beside the caller’s own, with the controllers that are there', () => {
  const mountpoint = makeHierarchy('user.slice/app.slice/mine.scope')
  const facts: CgroupFacts = {
    mode: 'unified',
    v1: [],
    v2: { mountpoint, controllers: ['memory', 'pids', 'io'] },
  }
  const asked: string[] = []
  const read = (directory: string) => {
    asked.push(directory)
    return 'memory pids\n'
  }
  expect(markClosed(facts, 'c1', OWN, read)).toEqual({
    mode: 'unified',
    v1: [],
    v2: { mountpoint, controllers: ['memory', 'pids'] },
    home: '/user.slice/app.slice/tsrunc',
  })
  expect(asked).toEqual([`${mountpoint}/user.slice/app.slice`])
})

test('what cannot be written is closed, with the caller’s own cgroup there if it is in sight', () => {
  // Read-only for everybody, root too.
  const facts: CgroupFacts = {
    mode: 'hybrid',
    v1: [
      { mountpoint: '/proc/self', controllers: ['cpu', 'cpuacct'] },
      { mountpoint: '/proc/sys/kernel', controllers: ['name=systemd'] },
    ],
  }
  const own = '3:cpu,cpuacct:/task\n1:name=systemd:/gone\n'
  const closed = markClosed(facts, '/proc-has-no-such/c', own, () => '').v1.map(
    (hierarchy) => hierarchy.closed,
  )
  expect(closed).toEqual(['/task', '/'])
})
