import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { look } from '../../src/host/look.ts'
import { NO_QUESTIONS, type Questions } from '../../src/host/questions.ts'

let base: string

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'tsrunc-test-look-'))
  mkdirSync(join(base, 'directory'))
  writeFileSync(join(base, 'file'), '')
  symlinkSync('directory', join(base, 'link'))
  symlinkSync('nowhere', join(base, 'dangling'))
  symlinkSync('loop', join(base, 'loop'))
})

afterAll(() => {
  rmSync(base, { recursive: true })
})

function ask(questions: Partial<Questions>) {
  return look({ ...NO_QUESTIONS, ...questions }, { limits: {} })
}

test('of links that are not to be followed the target is told', () => {
  const links = ['link', 'dangling', 'file', 'nothing'].map((name) => join(base, name))
  expect([...ask({ links }).links]).toEqual([
    [join(base, 'link'), 'directory'],
    [join(base, 'dangling'), 'nowhere'],
  ])
})

describe('a path', () => {
  test.each([
    ['directory', 'directory'],
    ['file', 'file'],
    ['link', 'directory'],
    ['dangling', 'missing'],
    ['loop', 'missing'],
    ['file/below', 'missing'],
    ['x'.repeat(5000), 'missing'],
  ])('of %s that is followed is a %s', (name, kind) => {
    const path = join(base, name)
    expect(ask({ paths: [path] }).paths.get(path)).toBe(kind)
  })

  test.each([
    ['directory', 'directory'],
    ['link', 'link'],
    ['dangling', 'link'],
    ['nothing', 'missing'],
  ])('of %s that is not followed is a %s', (name, kind) => {
    const path = join(base, name)
    expect(ask({ unfollowed: [path] }).paths.get(path)).toBe(kind)
  })

  test('that is a device is a file: what a bind mount needs to know', () => {
    expect(ask({ paths: ['/dev/null'] }).paths.get('/dev/null')).toBe('file')
  })
})

describe('a namespace', () => {
  const names = { mount: 'mnt', network: 'net', pid: 'pid', ipc: 'ipc', uts: 'uts', user: 'user' }

  test.each(Object.entries(names))('of type %s is known by its file', (type, name) => {
    const path = join(base, `ns-${name}`)
    symlinkSync(`/proc/self/ns/${name}`, path)
    const { namespaces, ownNamespaces } = ask({ namespaces: [path] })
    const { ino: inode } = statSync(`/proc/self/ns/${name}`, { bigint: true })
    expect(namespaces.get(path)).toEqual({ type, inode })
    expect(Object.entries(ownNamespaces)).toContainEqual([type, inode])
  })

  test.each(['file', 'directory', 'nowhere', 'loop'])('is not %s, whatever its name', (name) => {
    const path = join(base, name)
    const { namespaces } = ask({ namespaces: [path] })
    expect(namespaces.has(path)).toBe(true)
    expect(namespaces.get(path)).toBeUndefined()
  })

  test('is not a device, a socket or a file of /proc', () => {
    const paths = ['/dev/null', '/dev/tty', '/proc/self/status', '/sys/kernel']
    const { namespaces } = ask({ namespaces: paths })
    expect([...namespaces.values()]).toEqual(paths.map(() => undefined))
  })
})

describe('the host', () => {
  test('has capabilities, as this process does', () => {
    const facts = ask({})
    const status = readFileSync('/proc/self/status', 'latin1')
    const hex = (mask: bigint) => mask.toString(16).padStart(16, '0')
    expect(status).toContain(`CapPrm:\t${hex(facts.permittedCapabilities)}\n`)
    expect(status).toContain(`CapBnd:\t${hex(facts.boundingCapabilities)}\n`)
    expect(facts.lastCapability).toBeGreaterThanOrEqual(40)
  })

  test('has the cgroup hierarchies that are mounted', () => {
    const { cgroup } = ask({})
    const hierarchies = cgroup.v2 === undefined ? cgroup.v1 : [...cgroup.v1, cgroup.v2]
    expect(hierarchies.length).toBeGreaterThan(0)
    for (const { mountpoint } of hierarchies) {
      expect(statSync(join(mountpoint, 'cgroup.procs')).isFile(), mountpoint).toBe(true)
    }
  })

  test('has a compiled filter only where one is asked for', () => {
    expect(ask({})).not.toHaveProperty('seccomp')
    expect(ask({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } }).seccomp?.filter).toMatch(/./)
  })
})
