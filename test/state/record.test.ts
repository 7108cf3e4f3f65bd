import { describe, expect, test } from 'vitest'
import { StateError } from '../../src/errors.ts'
import type { RunHook } from '../../src/plan/steps.ts'
import { type ContainerRecord, emptyRecord, parseRecord } from '../../src/state/record.ts'

const HOOK: RunHook = {
  kind: 'run-hook',
  phase: 'poststop',
  origin: '/hooks/poststop/0',
  hook: 'poststop',
  path: '/bin/true',
  args: ['true'],
  env: ['A=1'],
  timeout: 3,
  status: 'stopped',
}
const CGROUP = { hierarchy: '/sys/fs/cgroup/pids', path: '/a/b', version: 1, missing: ['/a/b'] }
const FULL: ContainerRecord = {
  ...emptyRecord('web1'),
  annotations: { key: 'value' },
  pid: 42,
  cgroups: [{ ...CGROUP, version: 1 }],
  hooks: { poststart: [], poststop: [HOOK] },
  startListing: [{ origin: '/process', op: 'call', text: 'execve()', syscall: 'execve' }],
  startHooks: { 3: HOOK },
  foreignExecutable: 'it is for another machine',
}

function parseWith(change: Readonly<Record<string, unknown>>): () => ContainerRecord {
  return () => parseRecord(JSON.stringify({ ...FULL, ...change }), 'web1')
}

describe('a record', () => {
  test('is read as it was written', () => {
    expect(parseRecord(JSON.stringify(FULL), 'web1')).toEqual(FULL)
    expect(parseRecord(JSON.stringify(emptyRecord('x')), 'x')).toEqual(emptyRecord('x'))
  })

  test.each(['', '{', '[]', 'null', '7'])('that is %j is damaged', (text) => {
    expect(() => parseRecord(text, 'web1')).toThrow(StateError)
    expect(() => parseRecord(text, 'web1')).toThrow(/^state of container web1 is damaged: /)
  })

  test.each(Object.keys(emptyRecord('x')))('without %s is damaged', (member) => {
    expect(parseWith({ [member]: undefined })).toThrow(`has no ${member}`)
    expect(parseWith({ [member]: null })).toThrow(`has no ${member}`)
  })

  test.each([
    ['pid', -1],
    ['pid', 1.5],
    ['pid', '42'],
    ['annotations', { key: 1 }],
    ['cgroups', [null]],
    ['cgroups', [{ ...CGROUP, version: 3 }]],
    ['cgroups', [{ ...CGROUP, hierarchy: 'sys' }]],
    ['cgroups', [{ ...CGROUP, missing: [1] }]],
    ['hooks', { poststart: [] }],
    ['hooks', { poststart: [], poststop: [{ ...HOOK, args: 'true' }] }],
    ['startHooks', { 3: 'true' }],
    ['startListing', [{ origin: '' }]],
    ['foreignExecutable', 1],
  ])('whose %s is %j is damaged', (member, value) => {
    expect(parseWith({ [member]: value })).toThrow(`has no ${member}`)
  })

  test.each(['/..', '/a/../..', '/./a', 'a'])('that names the cgroup %s is damaged', (path) => {
    expect(parseWith({ cgroups: [{ ...CGROUP, path }] })).toThrow('has no cgroups')
    expect(parseWith({ cgroups: [{ ...CGROUP, missing: [path] }] })).toThrow('no cgroups')
  })

  test('of another version says so, whatever its shape', () => {
    expect(parseWith({ version: 2, pid: 'none' })).toThrow('is of another version of tsrunc')
  })

  test('of another container is refused', () => {
    expect(parseWith({ id: 'web2' })).toThrow('is of another container')
  })
})
