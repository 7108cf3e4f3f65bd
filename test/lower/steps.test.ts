import { describe, expect, test } from 'vitest'
import { lowerCreate } from '../../src/lower/lower.ts'
import type { Step } from '../../src/plan/steps.ts'
import { ROOT, textsOf } from './listing.ts'

const AT = { origin: '/test' } as const

describe('the listing of each kind of step', () => {
  test('namespaces of a phase are opened before the first of them is joined', () => {
    const join = (namespace: 'mount' | 'ipc' | 'pid'): Step => ({
      ...AT,
      kind: 'join-namespace',
      phase: namespace === 'pid' ? 'stage' : 'namespaces',
      namespace,
      path: `/ns/${namespace}`,
    })
    const clone: Step = { ...AT, kind: 'clone-init', phase: 'clone', namespaces: ['uts'] }
    const plan = { warnings: [], steps: [join('pid'), clone, join('ipc'), join('mount')] }
    const { program } = lowerCreate(plan, { architecture: 'x64', bundle: '/' })
    expect(program.listing.map(({ text }) => text)).toEqual([
      'umask = umask(0)',
      'pidns = openat(AT_FDCWD, "/ns/pid", O_RDONLY|O_CLOEXEC, 0)',
      'setns(pidns</ns/pid>, CLONE_NEWPID)',
      'close(pidns</ns/pid>)',
      'pid = clone3({CLONE_PIDFD|CLONE_NEWUTS})',
      'post 0: init is there',
      'exit_group(0)',
      'ipcns = openat(AT_FDCWD, "/ns/ipc", O_RDONLY|O_CLOEXEC, 0)',
      'mountns = openat(AT_FDCWD, "/ns/mount", O_RDONLY|O_CLOEXEC, 0)',
      'setns(ipcns</ns/ipc>, CLONE_NEWIPC)',
      'close(ipcns</ns/ipc>)',
      'setns(mountns</ns/mount>, CLONE_NEWNS)',
      'close(mountns</ns/mount>)',
      'exit_group(0)',
    ])
  })

  test('init is cloned into its cgroup where that is asked for', () => {
    const intoCgroup = '/sys/fs/cgroup/x'
    expect(
      textsOf({ ...AT, kind: 'clone-init', phase: 'clone', namespaces: ['pid'], intoCgroup }),
    ).toEqual([
      'cgroup = openat(AT_FDCWD, "/sys/fs/cgroup/x", O_PATH|O_DIRECTORY|O_CLOEXEC, 0)',
      'args.cgroup = cgroup</sys/fs/cgroup/x>',
      'pid = clone3({CLONE_PIDFD|CLONE_NEWPID|CLONE_INTO_CGROUP})',
      'post 0: init is there',
    ])
  })

  test.each<[Step, string[]]>([
    [
      { ...AT, kind: 'unshare-cgroup-namespace', phase: 'namespaces' },
      ['unshare(CLONE_NEWCGROUP)'],
    ],
    [{ ...AT, kind: 'new-session', phase: 'session' }, ['setsid()']],
    [
      { ...AT, kind: 'join-session-keyring', phase: 'session', name: '_ses.x' },
      ['keyctl(KEYCTL_JOIN_SESSION_KEYRING, "_ses.x")'],
    ],
    [{ ...AT, kind: 'set-hostname', phase: 'hostname', name: 'hé' }, ['sethostname("hé", 3)']],
    [
      {
        ...AT,
        kind: 'set-propagation',
        phase: 'rootfs',
        change: { propagation: 'slave', recursive: true },
      },
      ['mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {MS_SLAVE}, 32)'],
    ],
    [{ ...AT, kind: 'set-umask', phase: 'identity', mask: 0o22 }, ['umask(022)']],
    [
      {
        ...AT,
        kind: 'set-limit',
        phase: 'limits',
        type: 'RLIMIT_NOFILE',
        soft: 3n,
        hard: (1n << 64n) - 1n,
      },
      ['prlimit64(0, RLIMIT_NOFILE, {3, RLIM_INFINITY}, NULL)'],
    ],
    [
      { ...AT, kind: 'no-new-privileges', phase: 'identity' },
      ['prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)'],
    ],
    [
      {
        ...AT,
        kind: 'set-capabilities',
        phase: 'final-capabilities',
        effective: 1n,
        permitted: 1n << 40n,
        inheritable: 0n,
      },
      ['capset({v3, 0}, {0x1, 0x10000000000, 0x0})'],
    ],
    [
      { ...AT, kind: 'load-seccomp', phase: 'seccomp', filter: 'BgAAAAAA/38=', flags: ['LOG'] },
      ['seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, {1 instructions})'],
    ],
  ])('%o', (step, texts) => {
    expect(textsOf(step)).toEqual(texts)
  })

  test('devices in one directory share its fd', () => {
    const device = (path: string): Step => ({
      ...AT,
      kind: 'make-device',
      phase: 'devices',
      path,
      type: 'c',
      major: 5,
      minor: 0,
      mode: 0o666,
      uid: 0,
      gid: 0,
    })
    const link: Step = {
      ...AT,
      kind: 'make-symlink',
      phase: 'devices',
      target: 'pts/ptmx',
      path: '/dev/ptmx',
    }
    expect(textsOf(ROOT, device('/dev/tty'))[0]).toBe('parent = mkpath(rootfs, "/dev", directory)')
    expect(textsOf(ROOT, device('/dev/tty'), link)).toEqual([
      'symlinkat("pts/ptmx", parent</dev>, "ptmx")',
      'close(parent</dev>)',
    ])
    expect(textsOf(ROOT, device('/dev/tty'), device('/dev/net/tun'))[0]).toBe(
      'parent = mkpath(rootfs, "/dev/net", directory)',
    )
  })

  test('preserved fds move to 3 and up, the control socket out of their way', () => {
    const arrange: Step = {
      ...AT,
      kind: 'arrange-descriptors',
      phase: 'descriptors',
      preserved: 2,
    }
    expect(textsOf({ ...AT, kind: 'wait-for-start', phase: 'start' }, arrange)).toEqual([
      'control = fcntl(control, F_DUPFD_CLOEXEC, 5)',
      'dup3(preserved-0, 3, 0)',
      'dup3(preserved-1, 4, 0)',
      'close_range(5, ~0, CLOSE_RANGE_CLOEXEC)',
    ])
  })

  test('without a umask of its own the container gets the caller’s', () => {
    const user: Step = {
      ...AT,
      kind: 'set-user',
      phase: 'identity',
      uid: 5,
      gid: 6,
      additionalGids: [7, 8],
    }
    expect(textsOf({ ...AT, kind: 'new-session', phase: 'session' }, user)).toEqual([
      'umask(umask)',
      'setgroups(2, [7, 8])',
      'setresgid(6, 6, 6)',
      'prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)',
      'setresuid(5, 5, 5)',
      'prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)',
    ])
  })
})
