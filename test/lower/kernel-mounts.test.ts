import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MountFilesystem, Step } from '../../src/plan/steps.ts'
import { whyNoNamespaces } from './needs.ts'
import { makeDirectory, runShell } from './rig.ts'

const reason = whyNoNamespaces()
const NOTHING = { set: [], clear: [] } as const
const AT = { origin: '/test' } as const

function mount(type: string, destination: string, more: Partial<MountFilesystem> = {}): Step {
  return {
    ...AT,
    kind: 'mount-filesystem',
    phase: 'mounts',
    destination,
    type,
    source: type,
    parameters: [],
    attributes: NOTHING,
    recursiveAttributes: NOTHING,
    propagation: [],
    copyUp: false,
    ...more,
  }
}

const PROC = mount('proc', '/proc')

describe.skipIf(reason !== undefined)(`mounts on the real kernel ${reason ?? ''}`, () => {
  test('a shell runs in the new root and sees nothing of the old one', () => {
    const root = makeDirectory('plain')
    writeFileSync(join(root, 'inside'), '')
    const { stdout, failure } = runShell({
      root,
      before: [PROC],
      script: 'echo /*; cat /proc/mounts',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toContain('/inside')
    expect(stdout).toContain('proc /proc proc')
    expect(stdout).not.toContain('cgroup')
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(root)
  })

  test('without pivot_root the root is moved onto `/`', () => {
    const root = makeDirectory('moved')
    writeFileSync(join(root, 'inside'), '')
    const { stdout, failure } = runShell({ root, method: 'move', script: 'echo /*; pwd' })
    expect(failure).toBeUndefined()
    expect(stdout).toContain('/inside')
    expect(stdout).toContain('\n/\n')
  })

  test('a shared root can be entered and nothing of it appears on the host', () => {
    const root = makeDirectory('shared')
    const { stdout, failure } = runShell({
      root,
      shared: true,
      before: [PROC],
      script: 'grep " / / " /proc/self/mountinfo || grep " / " /proc/self/mountinfo',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toContain('shared:')
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(root)
  })

  test('a tmpfs has its parameters and attributes', () => {
    const tmpfs = mount('tmpfs', '/a/b', {
      parameters: [
        { key: 'size', value: '64k' },
        { key: 'mode', value: '1777' },
      ],
      attributes: { set: ['nosuid', 'noexec', 'noatime'], clear: [] },
    })
    const script = 'grep " /a/b " /proc/mounts; stat -c %a /a/b'
    const { stdout, failure } = runShell({
      root: makeDirectory('tmpfs'),
      before: [PROC, tmpfs],
      script,
    })
    expect(failure).toBeUndefined()
    expect(stdout).toMatch(/^tmpfs \/a\/b tmpfs rw,nosuid,noexec,noatime.*size=64k.*\n1777\n$/)
  })

  test('parameters that fsconfig refuses for their length go through mount(2)', () => {
    const root = makeDirectory('overlay')
    const lower = Array.from({ length: 12 }, (_, i) =>
      makeDirectory(`lower-${i}-${'x'.repeat(20)}`),
    )
    const overlay = mount('overlay', '/merged', {
      parameters: [{ key: 'lowerdir', value: lower.join(':') }, { key: 'ro' }],
      propagation: [{ propagation: 'private', recursive: false }],
    })
    const script = 'grep " /merged " /proc/mounts'
    const { stdout, failure } = runShell({ root, before: [PROC, overlay], script })
    expect(failure).toBeUndefined()
    expect(stdout).toContain('overlay /merged overlay ro,')
  })

  test('proc is not mounted behind a link', () => {
    const root = makeDirectory('linked')
    mkdirSync(join(root, 'elsewhere'))
    symlinkSync('elsewhere', join(root, 'proc'))
    const { failure } = runShell({ root, before: [PROC], script: 'true' })
    expect(failure).toBe(
      '/proc is behind a symbolic link: proc is not mounted there (CVE-2023-27561)',
    )
  })

  test('an unknown filesystem is named', () => {
    const { failure } = runShell({
      root: makeDirectory('unknown'),
      before: [mount('nosuchfs', '/x')],
      script: 'true',
    })
    expect(failure).toBe('fs<nosuchfs on /x> = fsopen("nosuchfs", FSOPEN_CLOEXEC): ENODEV')
  })

  test('a file is bound onto a destination behind a dangling link', () => {
    const root = makeDirectory('bound')
    const source = join(makeDirectory('sources'), 'resolv.conf')
    writeFileSync(source, 'nameserver ::1\n')
    mkdirSync(join(root, 'etc'))
    symlinkSync('../run/resolv/conf', join(root, 'etc/resolv.conf'))
    const bind: Step = {
      ...AT,
      kind: 'bind-mount',
      phase: 'mounts',
      source,
      sourceKind: 'file',
      destination: '/etc/resolv.conf',
      recursive: true,
      attributes: { set: ['rdonly', 'nodev'], clear: [] },
      recursiveAttributes: NOTHING,
      propagation: [],
    }
    const script = 'cat /etc/resolv.conf /run/resolv/conf; grep resolv /proc/mounts'
    const { stdout, failure } = runShell({ root, before: [PROC, bind], script })
    expect(failure).toBeUndefined()
    expect(stdout).toMatch(/^nameserver ::1\nnameserver ::1\n\S+ \/run\/resolv\/conf \S+ ro,nodev/)
  })

  test('the root and a mount become read-only in the end', () => {
    const root = makeDirectory('readonly')
    const finish = (destination: string): Step => ({
      ...AT,
      kind: 'finish-readonly',
      phase: 'readonly',
      destination,
    })
    const { stdout, failure } = runShell({
      root,
      before: [PROC, mount('tmpfs', '/late'), finish('/'), finish('/late')],
      script: 'touch /x /late/x 2>&1; true',
    })
    expect(failure).toBeUndefined()
    expect(stdout.match(/Read-only file system/g)).toHaveLength(2)
  })

  test('masks hide files and directories, and skip what is missing', () => {
    const root = makeDirectory('masked')
    for (const name of ['one', 'two', 'three']) {
      mkdirSync(join(root, `dir-${name}`))
      writeFileSync(join(root, `dir-${name}/secret`), 'secret')
      writeFileSync(join(root, `file-${name}`), 'secret')
    }
    const paths = ['one', 'two', 'three'].flatMap((name) => [`/dir-${name}`, `/file-${name}`])
    const masks = ['/missing', '/file-one/below', ...paths].map(
      (path): Step => ({ ...AT, kind: 'mask-path', phase: 'masks', path }),
    )
    const { stdout, failure } = runShell({
      root,
      before: [PROC, ...masks],
      script:
        'cat /file-*; ls -A /dir-*; stat -c %t:%T /file-two; touch /dir-two/x 2>&1; chmod 666 /file-two 2>&1',
    })
    expect(failure).toBeUndefined()
    expect(stdout).not.toContain('secret')
    expect(stdout).toContain('1:3')
    expect(stdout.match(/Read-only file system/g)).toHaveLength(2)
    expect(readFileSync(join(root, 'file-two'), 'utf8')).toBe('secret')
  })

  test('a path is made read-only, what is around it is not', () => {
    const root = makeDirectory('paths')
    mkdirSync(join(root, 'fixed'))
    const step: Step = { ...AT, kind: 'make-path-readonly', phase: 'masks', path: '/fixed' }
    const { stdout, failure } = runShell({
      root,
      before: [step],
      script: 'touch /free && echo made; touch /fixed/x 2>&1',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toMatch(/^made\n.*Read-only file system/)
  })
})
