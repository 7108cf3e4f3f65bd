/** Constants of the kernel's interface, grouped, with their names for listings. */

import type { Architecture } from '../sys/syscall-numbers.ts'
import { immediate, type Operand } from './operands.ts'

/** Flags that go together; `prefix` completes their names. */
export interface FlagGroup<Name extends string = string> {
  readonly prefix: string
  readonly values: Readonly<Record<Name, bigint | number>>
}

function group<Name extends string>(
  prefix: string,
  values: Record<Name, bigint | number>,
): FlagGroup<Name> {
  return Object.freeze({ prefix, values: Object.freeze(values) })
}

/** The union of flags, printed by name: `MS_BIND|MS_REC`. */
export function flags<Name extends string>(
  from: FlagGroup<Name>,
  ...names: readonly Name[]
): Operand {
  const value = names.reduce((sum, name) => sum | BigInt(from.values[name]), 0n)
  const shown = names.map((name) => from.prefix + name).join('|')
  return immediate(value, shown === '' ? '0' : shown)
}

/** Both unions in one operand: `OPEN_TREE_CLONE|AT_RECURSIVE`. */
export function either(...operands: readonly Operand[]): Operand {
  const set = operands.filter((operand) => operand.value !== 0n)
  const shown = set.map((operand) => operand.show).join('|')
  return immediate(
    set.reduce((sum, operand) => sum | operand.value, 0n),
    shown === '' ? '0' : shown,
  )
}

const OPEN = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  NOCTTY: 0o400,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
}

/** open(2): four of its flags are numbered differently on arm64. */
export const O = Object.freeze({
  x64: group('O_', { ...OPEN, DIRECTORY: 0o200000, NOFOLLOW: 0o400000 }),
  arm64: group('O_', { ...OPEN, DIRECTORY: 0o40000, NOFOLLOW: 0o100000 }),
}) satisfies Record<Architecture, FlagGroup>

export type OpenFlag = keyof (typeof O)['x64']['values']

export const AT = group('AT_', {
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  EMPTY_PATH: 0x1000,
  RECURSIVE: 0x8000,
})

export const RESOLVE = group('RESOLVE_', {
  NO_XDEV: 0x01,
  NO_MAGICLINKS: 0x02,
  NO_SYMLINKS: 0x04,
  BENEATH: 0x08,
  IN_ROOT: 0x10,
})

export type ResolveFlag = keyof typeof RESOLVE.values

/** mount(2). */
export const MS = group('MS_', {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  MANDLOCK: 64,
  DIRSYNC: 128,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  SILENT: 1 << 15,
  POSIXACL: 1 << 16,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
})

export const MNT = group('MNT_', { DETACH: 2 })
export const UMOUNT = group('UMOUNT_', { NOFOLLOW: 8 })

/** mount_setattr(2), fsmount(2). */
export const MOUNT_ATTR = group('MOUNT_ATTR_', {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  _ATIME: 0x70,
  RELATIME: 0x0,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
})

export const FSOPEN = group('FSOPEN_', { CLOEXEC: 1 })
export const FSMOUNT = group('FSMOUNT_', { CLOEXEC: 1 })
export const FSPICK = group('FSPICK_', { CLOEXEC: 1, EMPTY_PATH: 8 })
export const FSCONFIG = group('FSCONFIG_', {
  SET_FLAG: 0,
  SET_STRING: 1,
  CMD_CREATE: 6,
  CMD_RECONFIGURE: 7,
})
export const OPEN_TREE = group('OPEN_TREE_', { CLONE: 1, CLOEXEC: 0o2000000 })
export const MOVE_MOUNT = group('MOVE_MOUNT_', { F_EMPTY_PATH: 0x4, T_EMPTY_PATH: 0x40 })

/** clone3(2), setns(2), unshare(2). */
export const CLONE = group('CLONE_', {
  PIDFD: 0x1000,
  NEWTIME: 0x80,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  INTO_CGROUP: 0x200000000n,
})

/** File types in st_mode. */
export const S = group('S_', {
  IFMT: 0o170000,
  IFIFO: 0o010000,
  IFCHR: 0o020000,
  IFDIR: 0o040000,
  IFBLK: 0o060000,
  IFREG: 0o100000,
  IFSOCK: 0o140000,
})

export const STATX = group('STATX_', {
  TYPE: 1,
  MODE: 2,
  NLINK: 4,
  UID: 8,
  INO: 0x100,
  BTIME: 0x800,
  MNT_ID: 0x1000,
})
export const LOCK = group('LOCK_', { EX: 2 })
export const ACCESS = group('', { X_OK: 1 })

export const PR = group('PR_', {
  SET_DUMPABLE: 4,
  SET_KEEPCAPS: 8,
  CAPBSET_DROP: 24,
  SET_NO_NEW_PRIVS: 38,
  CAP_AMBIENT: 47,
})
export const PR_CAP_AMBIENT = group('PR_CAP_AMBIENT_', { RAISE: 2, CLEAR_ALL: 4 })

/** getrlimit(2): the same on x86-64 and arm64. */
export const RLIMIT = group('', {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
})

/** sched(7). */
export const SCHED = group('SCHED_', {
  OTHER: 0,
  FIFO: 1,
  RR: 2,
  BATCH: 3,
  ISO: 4,
  IDLE: 5,
  DEADLINE: 6,
})
export const SCHED_FLAG = group('SCHED_FLAG_', {
  RESET_ON_FORK: 0x01,
  RECLAIM: 0x02,
  DL_OVERRUN: 0x04,
  KEEP_POLICY: 0x08,
  KEEP_PARAMS: 0x10,
  UTIL_CLAMP_MIN: 0x20,
  UTIL_CLAMP_MAX: 0x40,
})

/** ioprio_set(2): the class stands in the bits above the priority. */
export const IOPRIO_WHO = group('IOPRIO_WHO_', { PROCESS: 1 })
export const IOPRIO_CLASS = group('IOPRIO_CLASS_', { RT: 1 << 13, BE: 2 << 13, IDLE: 3 << 13 })

/** personality(2). */
export const PER = group('PER_', { LINUX: 0, LINUX32: 8 })

/** set_mempolicy(2). */
export const MPOL = group('MPOL_', {
  DEFAULT: 0,
  PREFERRED: 1,
  BIND: 2,
  INTERLEAVE: 3,
  LOCAL: 4,
  PREFERRED_MANY: 5,
  WEIGHTED_INTERLEAVE: 6,
})
export const MPOL_F = group('MPOL_F_', {
  NUMA_BALANCING: 1 << 13,
  RELATIVE_NODES: 1 << 14,
  STATIC_NODES: 1 << 15,
})

export const KEYCTL = group('KEYCTL_', { JOIN_SESSION_KEYRING: 1 })
export const SECCOMP = group('SECCOMP_', { SET_MODE_FILTER: 1 })
export const SECCOMP_FLAG = group('SECCOMP_FILTER_FLAG_', {
  TSYNC: 1,
  LOG: 2,
  SPEC_ALLOW: 4,
  NEW_LISTENER: 8,
  TSYNC_ESRCH: 16,
  WAIT_KILLABLE_RECV: 32,
})

export const AF = group('AF_', { UNIX: 1, NETLINK: 16 })
export const SOCK = group('SOCK_', { DGRAM: 2, RAW: 3, CLOEXEC: 0o2000000 })
export const IOCTL = group('', {
  TCGETS: 0x5401,
  TIOCSCTTY: 0x540e,
  TIOCSWINSZ: 0x5414,
  TIOCGPTPEER: 0x5441,
  TIOCSPTLCK: 0x4004_5431,
  SIOCSIFFLAGS: 0x8914,
})
/** Of statfs(2). */
export const FS_MAGIC = group('', {
  DEVPTS_SUPER_MAGIC: 0x1cd1,
  PROC_SUPER_MAGIC: 0x9fa0,
  SYSFS_MAGIC: 0x62656572,
  CGROUP_SUPER_MAGIC: 0x27e0eb,
  CGROUP2_SUPER_MAGIC: 0x63677270,
})
export const FCNTL = group('F_', { DUPFD_CLOEXEC: 1030 })
export const CLOSE_RANGE = group('CLOSE_RANGE_', { CLOEXEC: 4 })
export const SIG = group('SIG', { KILL: 9, CHLD: 17 })
export const SIG_HOW = group('SIG_', { SETMASK: 2 })
export const WAIT = group('', { P_PIDFD: 3, WEXITED: 4 })
export const MFD = group('MFD_', { CLOEXEC: 1 })

export const AT_FDCWD = immediate(-100, 'AT_FDCWD')
export const NULL = immediate(0, 'NULL')
export const ZERO = immediate(0)
/** Every fd from a number on, for close_range(2). */
export const LAST_FD = immediate(0xffff_ffff, '~0')
