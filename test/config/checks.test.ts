import { describe, expect, it } from 'vitest'
import { checks, runChecks } from '../../src/config/checks.ts'
import { loadSpec } from '../../src/config/load.ts'
import { splitPointer } from '../../src/config/pointer.ts'
import { needsOf, toSysctlPath } from '../../src/config/sysctl.ts'
import { SpecError } from '../../src/errors.ts'
import { fullConfig } from './full-config.ts'

type Change = (config: typeof fullConfig & Record<string, unknown>) => void

/** Pointers of the issues that a change of the full config brings. */
function findPointers(change: Change): string[] {
  const config = JSON.parse(JSON.stringify(fullConfig))
  change(config)
  try {
    loadSpec(JSON.stringify(config), 'f')
    return []
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    return error.issues.map(({ pointer }) => pointer).sort()
  }
}

function set(path: string, value: unknown): Change {
  return (config) => {
    const parts = splitPointer(path)
    const last = parts.pop() ?? ''
    let parent = config as unknown as Record<string, unknown>
    for (const part of parts) parent = parent[part] as Record<string, unknown>
    if (value === undefined) delete parent[last]
    else parent[last] = value
  }
}

const namespacesWithout = (type: string) =>
  fullConfig.linux.namespaces.filter((namespace) => namespace.type !== type)

const notifyRule = [{ names: ['read', 'write'], action: 'SCMP_ACT_NOTIFY' }]

const REFUSED: readonly (readonly [string, unknown, ...string[]])[] = [
  ['/ociVersion', '2.0.0'],
  ['/ociVersion', '1.0'],
  ['/ociVersion', '01.0.0'],
  ['/root', undefined],
  ['/process', undefined],
  ['/linux', undefined, '/domainname', '/hostname', '/linux'],
  ['/root/path', ''],
  ['/process/cwd', 'tmp'],
  ['/process/args', undefined],
  ['/process/args', []],
  ['/process/args/0', ''],
  ['/process/args/1', 'a\0b'],
  ['/process/env/0', 'PATH'],
  ['/process/env/0', '=x'],
  ['/process/env/0', 'A=\0'],
  ['/process/rlimits/1', { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }],
  ['/process/rlimits/0/type', 'RLIMIT_NOFILES'],
  ['/process/rlimits/0/soft', 1025],
  ['/process/consoleSize/height', 65536],
  ['/process/oomScoreAdj', 1001],
  ['/linux/devices/0/path', '/'],
  ['/linux/devices/0/path', '/dev/..'],
  ['/process/user/uid', 4294967295],
  ['/process/user/gid', 4294967295],
  ['/process/user/additionalGids/0', 4294967295],
  ['/process/scheduler/nice', 20],
  ['/process/scheduler/priority', 1],
  ['/process/scheduler', { policy: 'SCHED_FIFO' }, '/process/scheduler/priority'],
  ['/process/scheduler', { policy: 'SCHED_OTHER', runtime: 1 }, '/process/scheduler/runtime'],
  ['/process/ioPriority/priority', 8],
  ['/process/execCPUAffinity/final', '1-'],
  ['/hostname', 'a'.repeat(65)],
  ['/hostname', 'a\0'],
  ['/linux/namespaces', namespacesWithout('uts'), '/domainname', '/hostname'],
  [
    '/linux',
    { ...fullConfig.linux, namespaces: namespacesWithout('mount'), rootfsPropagation: 'rshared' },
    '/linux/rootfsPropagation',
  ],
  ['/linux/namespaces', namespacesWithout('user'), '/linux/gidMappings', '/linux/uidMappings'],
  ['/linux/namespaces', namespacesWithout('time'), '/linux/timeOffsets'],
  [
    '/linux/namespaces',
    namespacesWithout('network'),
    '/linux/netDevices',
    '/linux/sysctl/net.ipv4.ip_forward',
  ],
  ['/linux/namespaces', namespacesWithout('ipc'), '/linux/sysctl/kernel~1shmmax'],
  [
    '/linux/namespaces/7',
    { type: 'pid' },
    '/linux/namespaces/7',
    '/linux/netDevices',
    '/linux/sysctl/net.ipv4.ip_forward',
  ],
  ['/linux/namespaces/7/path', 'run/netns'],
  ['/linux/uidMappings', undefined],
  ['/linux/timeOffsets/boottime/nanosecs', 1000000000],
  ['/mounts/0/destination', ''],
  ['/mounts/1/source', undefined],
  ['/mounts/1/uidMappings', undefined, '/mounts/1'],
  ['/mounts/1/options', ['ro'], '/mounts/1'],
  ['/mounts/1/options/1', '\0'],
  ['/hooks/poststop/0/path', 'bin/true'],
  ['/annotations/', 'x'],
  ['/linux/devices/0/path', 'dev/fuse'],
  ['/linux/devices/0/major', undefined],
  ['/linux/devices/0/minor', -1],
  ['/linux/devices/0/fileMode', 0o60600],
  ['/linux/devices/0/fileMode', 0o4755],
  ['/linux/netDevices/eth1/name', 'sixteencharacter'],
  ['/linux/netDevices/..', {}],
  ['/linux/sysctl/kernel.hostname', 'x'],
  ['/linux/sysctl/vm.swappiness', '1'],
  ['/linux/intelRdt/closID', '..'],
  ['/linux/resources/devices/0/type', 'd'],
  ['/linux/resources/devices/0/access', 'rx'],
  ['/linux/resources/devices/1/minor', -2],
  ['/linux/resources/memory/swappiness', 101],
  ['/linux/resources/memory/limit', -2],
  ['/linux/resources/memory/swap', 999999],
  ['/linux/resources/cpu/idle', 2],
  ['/linux/resources/cpu/idle', 1, '/linux/resources/cpu/shares'],
  ['/linux/resources/pids/limit', -2],
  ['/linux/resources/blockIO/weight', 9],
  ['/linux/resources/blockIO/weightDevice/0/leafWeight', 1001],
  ['/linux/resources/blockIO/throttleReadBpsDevice/0/major', -1],
  ['/linux/resources/unified/..~1memory.max', '1'],
  ['/linux/resources/unified/cgroup.procs', '1'],
  ['/linux/resources/unified/memory', '1'],
  [
    '/linux/seccomp/defaultAction',
    'SCMP_ACT_NOTIFY',
    '/linux/seccomp/defaultAction',
    '/linux/seccomp/defaultErrnoRet',
  ],
  ['/linux/seccomp/syscalls', notifyRule, '/linux/seccomp/syscalls/0/action'],
  ['/linux/seccomp/listenerPath', undefined],
  ['/linux/seccomp/listenerPath', 'agent.sock'],
  ['/linux/seccomp/defaultErrnoRet', 4096],
  ['/linux/seccomp/syscalls/0/action', 'SCMP_ACT_KILL', '/linux/seccomp/syscalls/0/errnoRet'],
  ['/linux/seccomp/syscalls/0/args/0/index', 6],
]

const ACCEPTED: readonly (readonly [string, unknown])[] = [
  ['/ociVersion', '1.2.0-rc.1+dev'],
  ['/process/args/1', ''],
  ['/process/execCPUAffinity/final', ''],
  ['/process/capabilities/bounding', ['CAP_UNHEARD_OF']],
  ['/mounts/0/destination', 'proc'],
  ['/linux/namespaces/7/path', ''],
  ['/linux/devices/0/fileMode', 0o20666],
  ['/linux/sysctl', { 'net/ipv4/conf/eno2.100/rp_filter': '1', 'fs.mqueue.msg_max': '1' }],
  ['/linux/resources/memory', { limit: -1, swap: 0 }],
  ['/linux/resources/unified', { 'memory.high': 'max' }],
  ['/annotations', { a: '\0' }],
]

describe('a check', () => {
  it('finds nothing in the config that has everything', () => {
    expect(findPointers(() => {})).toEqual([])
  })

  for (const [path, value, ...pointers] of REFUSED) {
    it(`refuses ${path} = ${JSON.stringify(value)}`, () => {
      expect(findPointers(set(path, value))).toEqual(pointers.length > 0 ? pointers : [path])
    })
  }

  it.each(ACCEPTED)('accepts %s = %j', (path, value) => {
    expect(findPointers(set(path, value))).toEqual([])
  })

  it('does not run on what the schema refuses', () => {
    expect(findPointers(set('/process/rlimits/0/soft', 'x'))).toEqual(['/process/rlimits/0/soft'])
    expect(runChecks({ ociVersion: '3' }, [{ pointer: '', expected: 'an object' }])).toEqual([])
  })

  it('has a name of its own', () => {
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length)
  })
})

describe('the name of a kernel parameter', () => {
  it.each([
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
    ['net/ipv4/conf/eno2.100/rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
    ['net.ipv4.conf.eno2/100.rp_filter', 'net/ipv4/conf/eno2.100/rp_filter'],
  ])('%s is the file %s', (name, path) => {
    expect(toSysctlPath(name)).toBe(path)
  })

  it.each(['net/../kernel/core_pattern', 'net.//.kernel.core_pattern', 'net..a', 'net/', '', '.'])(
    'cannot climb: %j',
    (name) => {
      expect(needsOf(name)).toHaveProperty('refused')
    },
  )
})
