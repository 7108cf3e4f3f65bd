import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FindExecutable, Step } from '../../src/plan/steps.ts'
import { whyNoNamespaces } from './needs.ts'
import { makeDirectory, planShell, runShell, runSteps } from './rig.ts'

const reason = whyNoNamespaces()
const NOTHING = { set: [], clear: [] } as const
const AT = { origin: '/test' } as const

function filesystem(type: string, destination: string): Step {
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
  }
}

const PROC = filesystem('proc', '/proc')

function device(path: string, more: object = {}): Step {
  const node = { path, type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 } as const
  return { ...AT, kind: 'make-device', phase: 'devices', ...node, ...more }
}

describe.skipIf(reason !== undefined)(`processes on the real kernel ${reason ?? ''}`, () => {
  test('devices have exactly the mode, the numbers and the owner that were asked for', () => {
    const pipe = { type: 'p', mode: 0o622, uid: 7, gid: 8 }
    const disk = { type: 'b', major: 259, minor: 300, mode: 0o660 }
    const { stdout, failure } = runShell({
      root: makeDirectory('devices'),
      before: [device('/dev/null'), device('/dev/pipe', pipe), device('/dev/deep/disk', disk)],
      script: 'stat -c "%n %F %t:%T %a %u:%g" /dev/null /dev/pipe /dev/deep/disk',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toBe(
      '/dev/null character special file 1:3 666 0:0\n' +
        '/dev/pipe fifo 0:0 622 7:8\n' +
        '/dev/deep/disk block special file 103:12c 660 0:0\n',
    )
  })

  test('the same device in its place is left as it is, another file is refused', () => {
    const root = makeDirectory('existing')
    const twice = [device('/null', { uid: 5 }), device('/null', { mode: 0o600 })]
    const { stdout } = runShell({ root, before: twice, script: 'stat -c "%u %a" /null; rm /null' })
    expect(stdout).toBe('5 666\n')
    symlinkSync('/dev/null', join(root, 'null'))
    const { failure } = runShell({ root, before: [device('/null')], script: 'true' })
    expect(failure).toBe('/null exists and is another kind of file')
  })

  test('a link that exists is left alone', () => {
    const root = makeDirectory('links')
    symlinkSync('mine', join(root, 'fd'))
    const link = (path: string): Step => ({
      ...AT,
      kind: 'make-symlink',
      phase: 'devices',
      target: '/proc/self/fd',
      path,
    })
    const script = 'readlink /fd /dev/fd'
    const { stdout } = runShell({ root, before: [link('/fd'), link('/dev/fd')], script })
    expect(stdout).toBe('mine\n/proc/self/fd\n')
  })

  test('ids, groups, capabilities, bounding set, umask and no_new_privs are in force', () => {
    const kill = 1n << 5n
    const identity: Step[] = [
      { ...AT, kind: 'set-limit', phase: 'raise-limits', type: 'RLIMIT_CORE', soft: 0n, hard: 0n },
      { ...AT, kind: 'limit-bounding-set', phase: 'identity', drop: [0, 21, 40] },
      { ...AT, kind: 'set-user', phase: 'identity', uid: 1000, gid: 100, additionalGids: [5, 6] },
      { ...AT, kind: 'set-umask', phase: 'identity', mask: 0o27 },
      {
        ...AT,
        kind: 'set-capabilities',
        phase: 'identity',
        effective: kill,
        permitted: kill,
        inheritable: kill,
        ambient: [5],
      },
      { ...AT, kind: 'no-new-privileges', phase: 'identity' },
    ]
    const { stdout, failure } = runShell({
      root: makeDirectory('identity'),
      before: [PROC],
      after: identity,
      script:
        'id -u; id -g; id -G; umask; ulimit -Hc; grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toMatch(/^1000\n100\n100 5 6\n0027\n0\n/)
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb']) {
      expect(stdout).toContain(`Cap${set}:\t0000000000000020`)
    }
    const bounding = BigInt(`0x${/CapBnd:\t(\w+)/.exec(stdout)?.[1] ?? '0'}`)
    expect(bounding & ((1n << 0n) | (1n << 21n) | (1n << 40n))).toBe(0n)
    expect(stdout).toContain('NoNewPrivs:\t1')
  })

  test('host name, loopback and sysctls belong to the new namespaces', () => {
    const { stdout, failure } = runShell({
      root: makeDirectory('network'),
      before: [
        { ...AT, kind: 'set-hostname', phase: 'hostname', name: 'inside' },
        { ...AT, kind: 'set-domainname', phase: 'hostname', name: 'example.org' },
        { ...AT, kind: 'raise-loopback', phase: 'network' },
        { ...AT, kind: 'set-sysctl', phase: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' },
        { ...AT, kind: 'set-sysctl', phase: 'sysctl', path: 'kernel/shmmni', value: '77' },
        PROC,
        filesystem('sysfs', '/sys'),
      ],
      script:
        'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname ' +
        '/proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /sys/class/net/lo/flags',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toBe('inside\nexample.org\n1\n77\n0x9\n')
  })

  test('a sysctl that does not exist is named', () => {
    const before: Step[] = [
      { ...AT, kind: 'set-sysctl', phase: 'sysctl', path: 'net/nothing', value: '1' },
    ]
    const { failure } = runShell({ root: makeDirectory('nosysctl'), before, script: 'true' })
    expect(failure).toContain('"sys/net/nothing"')
    expect(failure).toContain('ENOENT')
  })

  test('the container owns its stdio, whatever it cannot own is left', () => {
    const { uid, gid } = statSync('/dev/null')
    const { stdout, failure } = runShell({
      root: makeDirectory('stdio'),
      before: [PROC],
      after: [{ ...AT, kind: 'own-stdio', phase: 'stdio', uid: 1000, gid: 5 }],
      script: 'for fd in 0 1 2; do stat -Lc %u:%g /proc/self/fd/$fd; done',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toBe(`${uid}:${gid}\n1000:5\n1000:5\n`)
  })

  test('the cwd is made and entered, and lies inside of the root', () => {
    const { stdout, failure } = runShell({
      root: makeDirectory('cwd'),
      before: [{ ...AT, kind: 'make-directory', phase: 'working-directory', path: '/srv/app' }],
      after: [
        { ...AT, kind: 'change-directory', phase: 'directory', path: '/srv/app' },
        { ...AT, kind: 'verify-directory', phase: 'executable' },
      ],
      script: 'pwd; ls -A',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toBe('/srv/app\n')
  })

  test('nothing but stdio is open in the container', () => {
    const { stdout, failure } = runShell({
      root: makeDirectory('fds'),
      before: [PROC, filesystem('tmpfs', '/tmp')],
      after: [{ ...AT, kind: 'arrange-descriptors', phase: 'descriptors', preserved: 0 }],
      script: 'ls /proc/$$/fd',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toBe('0\n1\n2\n')
  })

  test('a filter is loaded last and is in force', () => {
    // ld [nr]; jeq mkdir → errno EPERM; allow
    const mkdir = process.arch === 'arm64' ? 34 : 83
    const code = [
      [0x20, 0, 0, 0],
      [0x15, 0, 1, mkdir],
      [0x06, 0, 0, 0x0005_0001],
      [0x06, 0, 0, 0x7fff_0000],
    ]
    const filter = Buffer.alloc(32)
    code.forEach(([op = 0, yes = 0, no = 0, k = 0], i) => {
      filter.writeUInt16LE(op, i * 8)
      filter.writeUInt8(yes, i * 8 + 2)
      filter.writeUInt8(no, i * 8 + 3)
      filter.writeUInt32LE(k, i * 8 + 4)
    })
    const { stdout, failure } = runShell({
      root: makeDirectory('seccomp'),
      after: [
        { ...AT, kind: 'no-new-privileges', phase: 'identity' },
        {
          ...AT,
          kind: 'load-seccomp',
          phase: 'seccomp',
          filter: filter.toString('base64'),
          flags: ['LOG', 'SPEC_ALLOW'],
        },
      ],
      script: 'mkdir /new 2>&1; echo end',
    })
    expect(failure).toBeUndefined()
    expect(stdout).toMatch(/Operation not permitted\nend\n$/)
  })

  const find = (name: string, candidates: readonly string[]): Step[] => {
    const step: FindExecutable = {
      ...AT,
      kind: 'find-executable',
      phase: 'executable',
      name,
      candidates,
    }
    const root = makeDirectory('executables')
    writeFileSync(join(root, 'data'), '')
    return planShell({ root, script: 'true' }).map((other) =>
      other.kind === 'find-executable' ? step : other,
    )
  }

  test.each([
    [
      'tool',
      ['/bin/no-tool', '/usr', '/data', `/${'x'.repeat(300)}`],
      'executable file not found in $PATH',
    ],
    ['/no/such', ['/no/such'], 'stat /no/such: no such file or directory'],
    ['/data/below', ['/data/below'], 'stat /data/below: not a directory'],
    ['/usr', ['/usr'], 'is a directory'],
    ['/data', ['/data'], 'permission denied'],
  ])('a missing executable is told in the words that engines know: %s', (name, paths, words) => {
    expect(runSteps(find(name, paths)).failure).toBe(`exec: ${JSON.stringify(name)}: ${words}`)
  })

  test('an execve that fails shows its arguments', () => {
    const root = makeDirectory('badexec')
    writeFileSync(join(root, 'garbage'), 'garbage', { mode: 0o755 })
    const steps = planShell({ root, script: 'true' }).map((step) =>
      step.kind === 'find-executable' ? { ...step, candidates: ['/garbage'] } : step,
    )
    expect(runSteps(steps).failure).toBe(
      'execve(executable<sh>, ["sh", "-c", "true"], /* 1 vars */): ENOEXEC',
    )
  })
})
