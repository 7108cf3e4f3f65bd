/** The only look at the machine: answers the questions that a config raises. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs'
import { describeError } from '../errors.ts'
import type { NamespaceType } from '../plan/steps.ts'
import { callKernel, hostArchitecture } from '../sys/ffi.ts'
import { compileSeccomp } from '../sys/libseccomp.ts'
import { openSystemd, readManager } from '../sys/systemd.ts'
import { parseHierarchies } from './cgroup-hierarchies.ts'
import type { CgroupFacts, DeviceNode, Facts, PathKind, SystemdFacts } from './facts.ts'
import { markClosed } from './open-cgroups.ts'
import { findIdMapHelpers, lookAtUserNamespace } from './own-user-namespace.ts'
import type { Questions } from './questions.ts'
import type { Request } from './request.ts'

export interface LookOptions {
  /** An open directory for compiled filters; absent: they are compiled each time. */
  readonly cacheDirectory?: number
}

/** Looks once, at what was asked. */
export function look(
  questions: Questions,
  request: Pick<Request, 'limits' | 'caller'>,
  options: LookOptions = {},
): Facts {
  const status = readFileSync('/proc/self/status', 'latin1')
  const followed = questions.paths.map((path) => [path, kindOf(path, true)] as const)
  const unfollowed = questions.unfollowed.map((path) => [path, kindOf(path, false)] as const)
  const { seccomp } = questions
  const userNamespace = lookAtUserNamespace()
  const isHostRoot = userNamespace.isInitial && process.geteuid?.() === 0
  const hierarchies = readHierarchies()
  const idMapHelpers = questions.mapsIds ? findIdMapHelpers() : undefined
  return {
    architecture: hostArchitecture(),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    cgroup:
      isHostRoot && questions.cgroup !== undefined
        ? hierarchies
        : findOpen(hierarchies, questions.cgroup, request.caller),
    limits: request.limits,
    paths: new Map([...followed, ...unfollowed]),
    links: new Map(questions.links.flatMap(readLink)),
    namespaces: new Map(questions.namespaces.map((path) => [path, identifyNamespace(path)])),
    ownNamespaces: findOwnNamespaces(),
    userNamespace,
    ...(idMapHelpers !== undefined && { idMapHelpers }),
    devices: new Map(questions.devices.flatMap(findDevice)),
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1')),
    permittedCapabilities: readMask(status, 'CapPrm'),
    boundingCapabilities: readMask(status, 'CapBnd'),
    ...(kindOf(`${RESCTRL}/schemata`, false) === 'file' && { resctrl: RESCTRL }),
    apparmor: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    selinux: kindOf('/sys/fs/selinux/enforce', false) === 'file',
    ...(questions.systemd !== undefined && { systemd: askSystemd(questions.systemd.userBus) }),
    ...(seccomp !== undefined && { seccomp: compileSeccomp(seccomp, options) }),
  }
}

/** Where resctrl is mounted, if it is: the kernel makes the directory. */
const RESCTRL = '/sys/fs/resctrl'
function askSystemd(userBus: string | undefined): SystemdFacts {
  try {
    using systemd = openSystemd(userBus)
    return readManager(systemd)
  } catch (error) {
    return { problem: describeError(error) }
  }
}

function kindOf(path: string, follow: boolean): PathKind {
  const stats = statOf(path, follow)
  if (stats === undefined) return 'missing'
  if (stats.isSymbolicLink()) return 'link'
  return stats.isDirectory() ? 'directory' : 'file'
}

/** What cannot be reached (a loop of links, too long a name) is as good as not there. */
function statOf(path: string, follow: boolean): Stats | undefined {
  try {
    return follow ? statSync(path) : lstatSync(path)
  } catch {
    return undefined
  }
}

function readLink(path: string): (readonly [string, string])[] {
  try {
    return [[path, readlinkSync(path)]]
  } catch {
    return []
  }
}

/** The path as it is asked for, with the device that is there. */
function findDevice(path: string): [string, DeviceNode][] {
  const stats = statOf(path, true)
  const isBlock = stats?.isBlockDevice() ?? false
  if (stats === undefined || !(isBlock || stats.isCharacterDevice())) return []
  return [[path, { type: isBlock ? 'b' : 'c', ...splitDevice(stats.rdev) }]]
}

/** new_decode_dev of the kernel, as stat(2) gives st_rdev. */
function splitDevice(device: number): { major: number; minor: number } {
  const value = BigInt(device)
  return {
    major: Number((value >> 8n) & 0xfffn),
    minor: Number((value & 0xffn) | ((value >> 12n) & 0xfff00n)),
  }
}

function readHierarchies(): CgroupFacts {
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'latin1'), readControllers)
}

function findOpen(
  hierarchies: CgroupFacts,
  configured: string | undefined,
  caller = '/proc/self',
): CgroupFacts {
  return markClosed(hierarchies, configured, readText(`${caller}/cgroup`), readControllers)
}

function readControllers(mountpoint: string): string {
  return readText(`${mountpoint}/cgroup.controllers`)
}

const NS_GET_NSTYPE = 0xb703

/** CLONE_NEW* by the names of the spec, and as /proc/PID/ns calls them. */
const NAMESPACES: readonly (readonly [NamespaceType, number, string])[] = [
  ['mount', 0x0002_0000, 'mnt'],
  ['cgroup', 0x0200_0000, 'cgroup'],
  ['uts', 0x0400_0000, 'uts'],
  ['ipc', 0x0800_0000, 'ipc'],
  ['user', 0x1000_0000, 'user'],
  ['pid', 0x2000_0000, 'pid'],
  ['network', 0x4000_0000, 'net'],
  ['time', 0x0000_0080, 'time'],
]

/** The type by ioctl(fd, NS_GET_NSTYPE), ioctl_nsfs(2): a path proves nothing. */
function identifyNamespace(path: string): { type: NamespaceType; inode: bigint } | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return undefined
  }
  try {
    const tolerated = ['ENOTTY', 'EINVAL', 'EOPNOTSUPP']
    const call = `ioctl(${JSON.stringify(path)}, NS_GET_NSTYPE)`
    const flag = callKernel('ioctl', [fd, NS_GET_NSTYPE], call, tolerated)
    const type = NAMESPACES.find(([, known]) => known === flag)?.[0]
    return type && { type, inode: fstatSync(fd, { bigint: true }).ino }
  } finally {
    closeSync(fd)
  }
}

function findOwnNamespaces(): Partial<Record<NamespaceType, bigint>> {
  const found = NAMESPACES.flatMap(([type, , name]) => {
    const stats = statSync(`/proc/self/ns/${name}`, { bigint: true, throwIfNoEntry: false })
    return stats === undefined ? [] : [[type, stats.ino] as const]
  })
  return Object.fromEntries(found)
}

function readMask(status: string, name: string): bigint {
  const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return BigInt(`0x${digits ?? '0'}`)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
