/** Structs of the kernel's interface as bytes; the same on x86-64 and arm64. */
import type { AttributeChange, MountAttribute, Propagation } from '../plan/steps.ts'
import type { Assembler } from './assembler.ts'
import { type MOUNT_ATTR, type MS, SIG } from './constants.ts'
import type { DataRef } from './operands.ts'

/** struct statx: chosen over struct stat, whose layout differs between architectures. */
export const STATX_SIZE = 256
export const STATX_AT = {
  nlink: 16,
  uid: 20,
  mode: 28,
  inode: 32,
  birthSeconds: 80,
  birthNanoseconds: 88,
  rdevMajor: 128,
  rdevMinor: 132,
  mountId: 144,
} as const

/** siginfo_t as waitid(2) fills it. */
export const SIGINFO_SIZE = 128
export const SIGINFO_AT = { code: 8, status: 24 } as const
export const CLD_EXITED = 1n

export const MOUNT_ATTR_SIZE = 32
export const MOUNT_ATTR_AT = { userns: 24 } as const
export const OPEN_HOW_SIZE = 24
const SCHED_ATTR_SIZE = 56
/** Up to and with `cgroup` (kernel 5.7). */
export const CLONE_ARGS_SIZE = 88
export const CLONE_ARGS_AT = { flags: 0, pidfd: 8, exitSignal: 32, cgroup: 80 } as const
export const POLLIN = 1

function words(...values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8)
  const view = new DataView(bytes.buffer)
  values.forEach((value, index) => {
    view.setBigUint64(index * 8, BigInt.asUintN(64, value), true)
  })
  return bytes
}

export function encodeOpenHow(flags: bigint, resolve: bigint): Uint8Array {
  return words(flags, 0n, resolve)
}

export function encodeMountAttr(set: bigint, clear: bigint, propagation: bigint): Uint8Array {
  return words(set, clear, propagation, 0n)
}

export function encodeLimit(soft: bigint, hard: bigint): Uint8Array {
  return words(soft, hard)
}

export function encodeTimespec(nanoseconds: bigint): Uint8Array {
  return words(nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n)
}

/** struct sched_attr with its clamps of utilization, which config.json has no values for. */
export function encodeScheduler(attributes: {
  readonly policy: number
  readonly flags: bigint
  readonly nice: number
  readonly priority: number
  readonly times: readonly [runtime: bigint, deadline: bigint, period: bigint]
}): Uint8Array {
  const bytes = new Uint8Array(SCHED_ATTR_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, SCHED_ATTR_SIZE, true)
  view.setUint32(4, attributes.policy, true)
  view.setBigUint64(8, attributes.flags, true)
  view.setInt32(16, attributes.nice, true)
  view.setUint32(20, attributes.priority, true)
  attributes.times.forEach((time, index) => {
    view.setBigUint64(24 + index * 8, time, true)
  })
  return bytes
}

/** A nodemask_t: bit n of the words is node n. */
export function encodeNodes(nodes: readonly number[]): Uint8Array {
  const masks: bigint[] = []
  for (const node of nodes) {
    const word = Math.floor(node / 64)
    for (let at = masks.length; at <= word; at++) masks.push(0n)
    masks[word] = (masks[word] ?? 0n) | (1n << BigInt(node % 64))
  }
  return words(...masks)
}

/** A list of 32-bit ids, e.g. for setgroups(2). */
export function encodeIds(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * 4)
  const view = new DataView(bytes.buffer)
  ids.forEach((id, index) => {
    view.setUint32(index * 4, id, true)
  })
  return bytes
}

/** cpu_set_t, as long as its last CPU needs; at least one. */
export function encodeCpuMask(cpus: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * (Math.floor(Math.max(...cpus) / 64) + 1))
  for (const cpu of cpus) bytes[cpu >> 3] = (bytes[cpu >> 3] ?? 0) | (1 << (cpu & 7))
  return bytes
}

/** _LINUX_CAPABILITY_VERSION_3 for the calling process. */
export function encodeCapabilityHeader(): Uint8Array {
  return encodeIds([0x2008_0522, 0])
}

/** struct __user_cap_data_struct[2]: the low words of the three sets, then the high ones. */
export function encodeCapabilityData(
  effective: bigint,
  permitted: bigint,
  inheritable: bigint,
): Uint8Array {
  const sets = [effective, permitted, inheritable]
  const low = sets.map((set) => Number(BigInt.asUintN(32, set)))
  return encodeIds([...low, ...sets.map((set) => Number(set >> 32n))])
}

/** struct ifreq with ifr_flags. */
export function encodeInterfaceFlags(name: string, flags: number): Uint8Array {
  const bytes = new Uint8Array(40)
  bytes.set(Buffer.from(name))
  new DataView(bytes.buffer).setUint16(16, flags, true)
  return bytes
}

/** struct winsize. */
export function encodeWindowSize(rows: number, columns: number): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, rows, true)
  view.setUint16(2, columns, true)
  return bytes
}

/** struct pollfd without its fd, which stands at 0. */
export function encodePoll(): Uint8Array {
  return encodeIds([0, POLLIN])
}

/** struct clone_args; where its fd and pointers go is in CLONE_ARGS_AT. */
export function encodeCloneArgs(flags: bigint): Uint8Array {
  const chld = BigInt(SIG.values.CHLD)
  return words(flags, 0n, 0n, 0n, chld, 0n, 0n, 0n, 0n, 0n, 0n)
}

/** struct sock_fprog that points to the filter. */
export function placeFilter(asm: Assembler, filter: Uint8Array): DataRef {
  const instructions = asm.bytes(filter)
  const program = asm.bytes(encodeIds([filter.length / 8, 0, 0, 0]))
  asm.relocate(program, 8, instructions)
  return program
}

const ATTRIBUTE: Readonly<Record<MountAttribute, keyof typeof MOUNT_ATTR.values>> = {
  rdonly: 'RDONLY',
  nosuid: 'NOSUID',
  nodev: 'NODEV',
  noexec: 'NOEXEC',
  noatime: 'NOATIME',
  strictatime: 'STRICTATIME',
  relatime: 'RELATIME',
  nodiratime: 'NODIRATIME',
  nosymfollow: 'NOSYMFOLLOW',
}

const ACCESS_TIMES: readonly MountAttribute[] = ['noatime', 'strictatime', 'relatime']

/** Names of MOUNT_ATTR_* to set and to clear. The access time is a field: cleared as a whole. */
export function attributeNames(change: AttributeChange): {
  set: (keyof typeof MOUNT_ATTR.values)[]
  clear: (keyof typeof MOUNT_ATTR.values)[]
} {
  const isTime = (name: MountAttribute): boolean => ACCESS_TIMES.includes(name)
  const clear = change.clear.filter((name) => !isTime(name)).map((name) => ATTRIBUTE[name])
  if ([...change.set, ...change.clear].some(isTime)) clear.push('_ATIME')
  return { set: change.set.map((name) => ATTRIBUTE[name]), clear }
}

/** The flag of mount(2) and of mount_attr.propagation. */
export const PROPAGATION: Readonly<Record<Propagation, keyof typeof MS.values>> = {
  private: 'PRIVATE',
  slave: 'SLAVE',
  shared: 'SHARED',
  unbindable: 'UNBINDABLE',
}
