/**
 * The vocabulary of plans. A plan is an ordered list of steps: plain, frozen data, each with the
 * phase it belongs to and the config field (`origin`) that asked for it.
 *
 * - A **host step** is done by the engine, from outside the container.
 * - An **init step** can only be done by the container's own process. `lower/` turns it into
 *   system calls, which the executor runs.
 * - An **exchange step** is both: the executor hands fds to the engine, waits, and takes an answer.
 */
import type { Pointer } from '../errors.ts'
import type { Phase } from './phases.ts'
import type { UnitProperty } from './unit-property.ts'

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'

export type Propagation = 'private' | 'slave' | 'shared' | 'unbindable'

/** Per-mount attributes by the names of mount_setattr(2), e.g. `MOUNT_ATTR_RDONLY` is `rdonly`. */
export type MountAttribute =
  | 'rdonly'
  | 'nosuid'
  | 'nodev'
  | 'noexec'
  | 'noatime'
  | 'strictatime'
  | 'relatime'
  | 'nodiratime'
  | 'nosymfollow'

/** By the names of sched(7). */
export type SchedulerPolicy = 'OTHER' | 'FIFO' | 'RR' | 'BATCH' | 'ISO' | 'IDLE' | 'DEADLINE'

/** `RESET_ON_FORK` is SCHED_FLAG_RESET_ON_FORK. */
export type SchedulerFlag =
  | 'RESET_ON_FORK'
  | 'RECLAIM'
  | 'DL_OVERRUN'
  | 'KEEP_POLICY'
  | 'KEEP_PARAMS'
  | 'UTIL_CLAMP_MIN'
  | 'UTIL_CLAMP_MAX'

/** `BIND` is MPOL_BIND: set_mempolicy(2). */
export type MemoryPolicyMode =
  | 'DEFAULT'
  | 'PREFERRED'
  | 'BIND'
  | 'INTERLEAVE'
  | 'LOCAL'
  | 'PREFERRED_MANY'
  | 'WEIGHTED_INTERLEAVE'

export type MemoryPolicyFlag = 'NUMA_BALANCING' | 'RELATIVE_NODES' | 'STATIC_NODES'

export interface AttributeChange {
  readonly set: readonly MountAttribute[]
  readonly clear: readonly MountAttribute[]
}

/** One line of a uid_map or gid_map; ids of the host are those of the runtime's user namespace. */
export interface IdRange {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

/** Whose ids a mount shows: MOUNT_ATTR_IDMAP, mount_setattr(2). */
export interface MountIdmap {
  /** For all mounts below, too. */
  readonly recursive: boolean
  /** Absent: as the container's user namespace maps. */
  readonly mappings?: {
    readonly uidMappings: readonly IdRange[]
    readonly gidMappings: readonly IdRange[]
  }
  /** Path of the container's user namespace where that is joined; absent: it is a new one. */
  readonly userNamespace?: string
}

/** One parameter of a filesystem: `{key: 'size', value: '64k'}`, or a flag without a value. */
export interface FilesystemParameter {
  readonly key: string
  readonly value?: string
}

/** A change of propagation of a mount (`MS_SHARED` …), of it alone or of all mounts below it. */
export interface PropagationChange {
  readonly propagation: Propagation
  readonly recursive: boolean
}

interface Base {
  readonly phase: Phase
  readonly origin: Pointer
}

// ---------------------------------------------------------------------------- host steps

/** Makes a cgroup directory and its missing parents; undone by its removal. */
export interface MakeCgroup extends Base {
  readonly kind: 'make-cgroup'
  /** Mount point of the hierarchy, e.g. `/sys/fs/cgroup/memory`. */
  readonly hierarchy: string
  /** Path of the cgroup below it, absolute, e.g. `/tsrunc/web1`. */
  readonly path: string
  /** v1 cpuset: `cpuset.cpus` and `cpuset.mems` of each new directory are copied from its parent. */
  readonly inherit: readonly string[]
  /** v2: controllers to enable in `cgroup.subtree_control` of each directory above the last. */
  readonly enable: readonly string[]
}

/** Writes one value into a file of a cgroup. */
export interface WriteCgroupFile extends Base {
  readonly kind: 'write-cgroup-file'
  readonly hierarchy: string
  readonly path: string
  readonly file: string
  readonly value: string
  /** When the kernel has no such file: nothing is lost, or this file says the same. */
  readonly missing?: 'skip' | { readonly file: string; readonly value: string }
  /** What would enable the controller, for the error when the file is missing. */
  readonly hint?: string
}

/**
 * Has systemd make a transient scope, and with it its cgroup, around the stage: init is cloned in
 * it. Undone by stopping the unit.
 */
export interface StartUnit extends Base {
  readonly kind: 'start-unit'
  /** `tsrunc-web1.scope` */
  readonly unit: string
  /** Of cgroup v2. */
  readonly hierarchy: string
  /** Where systemd puts the unit's cgroup, below the hierarchy's mount point. */
  readonly path: string
  readonly properties: readonly UnitProperty[]
  /** Bus address of a user's service manager; absent: the system's. */
  readonly userBus?: string
}

/** Tells systemd the new limits of a unit that is there. */
export interface SetUnitProperties extends Base {
  readonly kind: 'set-unit-properties'
  readonly unit: string
  readonly properties: readonly UnitProperty[]
  readonly userBus?: string
}

/** Attaches an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE to a cgroup v2 directory. */
export interface AttachDeviceFilter extends Base {
  readonly kind: 'attach-device-filter'
  readonly hierarchy: string
  readonly path: string
  /** The program: 64-bit eBPF instructions, base64. */
  readonly program: string
  /** The same program as text, for `plan`. */
  readonly listing: readonly string[]
}

/** Writes the container's pid into `cgroup.procs`. */
export interface JoinCgroup extends Base {
  readonly kind: 'join-cgroup'
  readonly hierarchy: string
  readonly path: string
  /** Joined where v2 answers EBUSY, since the path has controllers for its children. */
  readonly otherwise?: string
}

/** Makes a group of resctrl(4), or finds it. */
export interface MakeResctrlGroup extends Base {
  readonly kind: 'make-resctrl-group'
  /** Absolute, below the mounted resctrl filesystem. */
  readonly path: string
  /**
   * `own`: made for this container and removed with it. `shared`: made if it is missing, else its
   * schemata must be these. `given`: it must be there.
   */
  readonly sharing: 'own' | 'shared' | 'given'
  /** Lines of its `schemata`: `L3:0=f`. */
  readonly schemata: readonly string[]
}

/** Writes the process's pid into `tasks` of a resctrl group. */
export interface JoinResctrlGroup extends Base {
  readonly kind: 'join-resctrl-group'
  readonly path: string
}

/** Writes /proc/PID/oom_score_adj of the container's process. */
export interface SetOomScore extends Base {
  readonly kind: 'set-oom-score'
  readonly value: number
  /** What to do where the caller may not: an unprivileged one cannot lower it. */
  readonly denied?: 'skip'
}

/**
 * Writes /proc/PID/uid_map and gid_map of the process that made the user namespace and waits: the
 * stage of an unprivileged caller, else init. user_namespaces(7).
 */
export interface MapIds extends Base {
  readonly kind: 'map-ids'
  readonly process: 'stage' | 'init'
  readonly uidMappings: readonly IdRange[]
  readonly gidMappings: readonly IdRange[]
  /** `deny` is what an unprivileged writer of a gid_map has to give up first. */
  readonly setgroups: 'allow' | 'deny'
  /** Paths of newuidmap and newgidmap, which have the privilege that the caller lacks. */
  readonly helpers?: { readonly uid: string; readonly gid: string }
}

/** Writes /proc/PID/timens_offsets of the stage, whose next child has them. time_namespaces(7). */
export interface SetTimeOffsets extends Base {
  readonly kind: 'set-time-offsets'
  readonly offsets: readonly {
    readonly clock: 'monotonic' | 'boottime'
    readonly secs: bigint
    readonly nanosecs: number
  }[]
}

/**
 * prlimit64(2) of the container's process from outside: in a user namespace of its own it cannot
 * raise a hard limit itself.
 */
export interface RaiseLimit extends Base {
  readonly kind: 'raise-limit'
  /** `RLIMIT_NOFILE` … */
  readonly type: string
  readonly soft: bigint
  readonly hard: bigint
}

/**
 * Gives a v2 cgroup to the container's user: the directory and the files that
 * /sys/kernel/cgroup/delegate lists, nothing else (runtime-spec, cgroup ownership).
 */
export interface OwnCgroup extends Base {
  readonly kind: 'own-cgroup'
  readonly hierarchy: string
  readonly path: string
  /** As the runtime's user namespace has it. */
  readonly uid: number
}

/** state.json says `created`, the pid file and the pidfd socket are served. */
export interface RecordCreated extends Base {
  readonly kind: 'record-created'
}

export type HookName =
  | 'prestart'
  | 'createRuntime'
  | 'createContainer'
  | 'startContainer'
  | 'poststart'
  | 'poststop'

/**
 * Runs one hook: state JSON on its stdin, exactly the given environment, cwd the bundle.
 * createContainer and startContainer hooks are init steps, the others host steps.
 */
export interface RunHook extends Base {
  readonly kind: 'run-hook'
  readonly hook: HookName
  readonly path: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  /** Seconds; absent: no limit. */
  readonly timeout?: number
  /** Files of the host that take its output; absent: it is kept for the error message. */
  readonly stdout?: string
  readonly stderr?: string
  /** The state's `status` while the hook runs. */
  readonly status: 'creating' | 'created' | 'running' | 'stopped'
}

export type HostStep =
  | MakeCgroup
  | StartUnit
  | SetUnitProperties
  | WriteCgroupFile
  | AttachDeviceFilter
  | JoinCgroup
  | MakeResctrlGroup
  | JoinResctrlGroup
  | OwnCgroup
  | SetOomScore
  | MapIds
  | SetTimeOffsets
  | RaiseLimit
  | RecordCreated
  | RunHook

// ---------------------------------------------------------------------------- init steps

/**
 * setns(2) to a namespace given by path: in the phase `stage` before the clone, which `pid` needs
 * and every other one where a user namespace follows, else after it.
 */
export interface JoinNamespace extends Base {
  readonly kind: 'join-namespace'
  readonly namespace: NamespaceType
  readonly path: string
}

/** PR_SET_DUMPABLE: whether the caller's other processes may write our id maps, and trace us. */
export interface SetDumpable extends Base {
  readonly kind: 'set-dumpable'
  readonly dumpable: boolean
}

/** unshare(CLONE_NEWUSER) of the stage: without privileges nothing else can be made before it. */
export interface UnshareUserNamespace extends Base {
  readonly kind: 'unshare-user-namespace'
}

/** unshare(CLONE_NEWTIME) of the stage: only its next child enters it. */
export interface UnshareTimeNamespace extends Base {
  readonly kind: 'unshare-time-namespace'
}

/** setgroups, setresgid, setresuid to what owns the user namespace's new files: its root. */
export interface BecomeRoot extends Base {
  readonly kind: 'become-root'
  readonly uid: number
  readonly gid: number
  /** The caller's groups stay (`run.oci.keep_original_groups`). */
  readonly keepsGroups?: true
}

/** Opens the runtime's mount namespace, which `enter-root` goes back to (`chroot`). */
export interface HoldMountNamespace extends Base {
  readonly kind: 'hold-mount-namespace'
}

/** clone3(2): the container's first process, in these new namespaces. */
export interface CloneInit extends Base {
  readonly kind: 'clone-init'
  readonly namespaces: readonly NamespaceType[]
  /** v2 only: the cgroup directory for CLONE_INTO_CGROUP. */
  readonly intoCgroup?: string
}

/** setns(2) to these namespaces of the container, by the pidfd of its first process. */
export interface JoinContainer extends Base {
  readonly kind: 'join-container'
  readonly namespaces: readonly NamespaceType[]
  /** Where its first process has its root, if that is not the root of its mount namespace. */
  readonly root?: string
}

/** clone3(2): a further process of the container, in the pid namespace that was joined. */
export interface CloneProcess extends Base {
  readonly kind: 'clone-process'
  /** v2 only: the cgroup directory for CLONE_INTO_CGROUP. */
  readonly intoCgroup?: string
  /** The one for EBUSY: the first has controllers for its children. */
  readonly otherwiseCgroup?: string
  /**
   * Its parent stays until it ends, and reaps it: a process of ours, not of the user's. One that
   * nobody reaps keeps the pid namespace, and its init, from ending.
   */
  readonly awaited?: true
}

/** sched_setaffinity(2) of the process itself. */
export interface SetAffinity extends Base {
  readonly kind: 'set-affinity'
  /** Numbers of CPUs; those that the machine or the cpuset does not have count for nothing. */
  readonly cpus: readonly number[]
}

/** unshare(CLONE_NEWCGROUP), once the process is in its v1 cgroups. */
export interface UnshareCgroupNamespace extends Base {
  readonly kind: 'unshare-cgroup-namespace'
}

export interface NewSession extends Base {
  readonly kind: 'new-session'
}

/** keyctl(KEYCTL_JOIN_SESSION_KEYRING, name); a kernel without keyctl is tolerated. */
export interface JoinSessionKeyring extends Base {
  readonly kind: 'join-session-keyring'
  readonly name: string
}

/** SELinux: the label of keyrings that the process makes; with another the container could not use it. */
export interface SetKeyringLabel extends Base {
  readonly kind: 'set-keyring-label'
  readonly label: string
}

/** Brings `lo` up in a new network namespace. */
export interface RaiseLoopback extends Base {
  readonly kind: 'raise-loopback'
}

export interface SetHostname extends Base {
  readonly kind: 'set-hostname'
  readonly name: string
}

export interface SetDomainname extends Base {
  readonly kind: 'set-domainname'
  readonly name: string
}

/** Writes a file below /proc/sys through a procfs of our own. */
export interface SetSysctl extends Base {
  readonly kind: 'set-sysctl'
  /** Path below /proc/sys: `net/ipv4/ip_forward`. */
  readonly path: string
  readonly value: string
}

/** mount_setattr(2) of the propagation of `/` of the new mount namespace, with everything below. */
export interface SetPropagation extends Base {
  readonly kind: 'set-propagation'
  readonly change: PropagationChange
}

/** Binds the rootfs (with its submounts) onto its own host path, in the new mount namespace. */
export interface BindRootfs extends Base {
  readonly kind: 'bind-rootfs'
  /** Absolute host path. */
  readonly path: string
  /** The runtime clones the tree, since the container's root might not reach the path. */
  readonly openedBy?: 'runtime'
  /**
   * First make the mount private that holds the path (the nearest of its ancestors that is a mount
   * point): the bind must not appear on the host, and pivot_root refuses a root whose parent is
   * shared.
   */
  readonly privateParent: boolean
}

/** A new filesystem at a destination below the root. */
export interface MountFilesystem extends Base {
  readonly kind: 'mount-filesystem'
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly parameters: readonly FilesystemParameter[]
  readonly attributes: AttributeChange
  readonly recursiveAttributes: AttributeChange
  readonly propagation: readonly PropagationChange[]
  /** Copy what the destination held before into the new filesystem (`tmpcopyup`). */
  readonly copyUp: boolean
  /** Its root has the mode of the directory that it covers. */
  readonly inheritsMode?: true
  /** Mounted on a link if the destination is one, not where it leads (`dest-nofollow`). */
  readonly nofollow?: true
  /** SELinux: the label of its root, for filesystems that take no `context` (mqueue). */
  readonly label?: string
  /** Bound in its place, with everything below, where the kernel does not let us mount it. */
  readonly bindInstead?: string
}

/** A bind mount of a host path at a destination below the root. */
export interface BindMount extends Base {
  readonly kind: 'bind-mount'
  readonly source: string
  /** Decides what a missing destination is made as. */
  readonly sourceKind: 'directory' | 'file'
  readonly destination: string
  readonly recursive: boolean
  readonly attributes: AttributeChange
  readonly recursiveAttributes: AttributeChange
  readonly propagation: readonly PropagationChange[]
  /** Mounted on a link if the destination is one, not where it leads (`dest-nofollow`). */
  readonly nofollow?: true
  /** A source that is a link is shown as one (`src-nofollow`). */
  readonly sourceNofollow?: true
  /** The runtime clones the tree, since the container's root might not reach the source. */
  readonly openedBy?: 'runtime'
  /** By the runtime only. */
  readonly idmap?: MountIdmap
}

/** Changes a mount that is there already. */
export interface Remount extends Base {
  readonly kind: 'remount'
  readonly destination: string
  /** Of the filesystem, for every mount of it; none: of this mount alone. */
  readonly parameters: readonly FilesystemParameter[]
  readonly attributes: AttributeChange
  readonly recursiveAttributes: AttributeChange
  readonly propagation: readonly PropagationChange[]
}

/** Makes a mount read-only after everything below it is in place. */
export interface FinishReadonly extends Base {
  readonly kind: 'finish-readonly'
  /** Destination of an earlier mount step, or `/` for the rootfs. */
  readonly destination: string
}

export interface MakeDevice extends Base {
  readonly kind: 'make-device'
  readonly path: string
  readonly type: 'c' | 'b' | 'p'
  readonly major: number
  readonly minor: number
  /** Permission bits, e.g. 0o666. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** symlinkat(2) below the root; an existing link with the same target is fine. */
export interface MakeSymlink extends Base {
  readonly kind: 'make-symlink'
  readonly target: string
  readonly path: string
}

/** Hides a path: a read-only empty tmpfs over a directory, /dev/null over anything else. */
export interface MaskPath extends Base {
  readonly kind: 'mask-path'
  readonly path: string
  /** SELinux: the context of the tmpfs. */
  readonly context?: FilesystemParameter
}

export interface MakePathReadonly extends Base {
  readonly kind: 'make-path-readonly'
  readonly path: string
}

/** Takes away what is mounted on a path below the root; who uses it keeps it. */
export interface Unmount extends Base {
  readonly kind: 'unmount'
  readonly destination: string
}

/** pivot_root(2), or with --no-pivot MS_MOVE and chroot(2). */
export interface EnterRoot extends Base {
  readonly kind: 'enter-root'
  /** `chroot`: of a container that shall be in the runtime's mount namespace. */
  readonly method: 'pivot' | 'move' | 'chroot'
  /** What `/` shall propagate afterwards (rootfsPropagation). */
  readonly propagation?: PropagationChange
}

/** fchown(2) of stdin, stdout, stderr where they are pipes, files, sockets or ttys. */
export interface OwnStdio extends Base {
  readonly kind: 'own-stdio'
  readonly uid: number
  readonly gid: number
}

/** Opens the master of a new pty: of the devpts at /dev/pts, or of the runtime's (`/dev/ptmx`). */
export interface OpenTerminal extends Base {
  readonly kind: 'open-terminal'
  readonly from: 'container' | 'runtime'
}

/**
 * Opens the slave of the pty and makes it the controlling terminal and stdin, stdout and stderr;
 * the master is handed to the runtime. The owner becomes `uid`, the group stays that of the devpts.
 */
export interface AttachTerminal extends Base {
  readonly kind: 'attach-terminal'
  readonly uid: number
  /** What it measures from the start (`consoleSize`). */
  readonly size?: { readonly rows: number; readonly columns: number }
}

/** Binds the terminal, by the fd that is stdin, on /dev/console in the root. */
export interface BindConsole extends Base {
  readonly kind: 'bind-console'
  /** Make the file if it is missing. In a /dev that is the host's nothing is made. */
  readonly make: boolean
}

/** Makes a directory and its missing parents below the root; one that exists is fine. */
export interface MakeDirectory extends Base {
  readonly kind: 'make-directory'
  readonly path: string
}

/** chdir to process.cwd, inside the new root. */
export interface ChangeDirectory extends Base {
  readonly kind: 'change-directory'
  readonly path: string
}

export interface SetUmask extends Base {
  readonly kind: 'set-umask'
  readonly mask: number
}

/** prlimit64(2) of the process itself; RLIM_INFINITY is 2^64-1. */
export interface SetLimit extends Base {
  readonly kind: 'set-limit'
  /** `RLIMIT_NOFILE` … */
  readonly type: string
  readonly soft: bigint
  readonly hard: bigint
}

/** sched_setattr(2) of the process itself; what a policy does not use is 0. */
export interface SetScheduler extends Base {
  readonly kind: 'set-scheduler'
  readonly policy: SchedulerPolicy
  readonly flags: readonly SchedulerFlag[]
  readonly nice: number
  readonly priority: number
  /** Nanoseconds, for SCHED_DEADLINE. */
  readonly runtime: bigint
  readonly deadline: bigint
  readonly period: bigint
}

/** ioprio_set(2) of the process itself. */
export interface SetIoPriority extends Base {
  readonly kind: 'set-io-priority'
  readonly class: 'RT' | 'BE' | 'IDLE'
  /** 0, the highest, to 7. */
  readonly priority: number
}

/** personality(2): what uname(2) says of the machine. */
export interface SetPersonality extends Base {
  readonly kind: 'set-personality'
  readonly domain: 'LINUX' | 'LINUX32'
}

/** set_mempolicy(2) of the process itself. */
export interface SetMemoryPolicy extends Base {
  readonly kind: 'set-memory-policy'
  readonly mode: MemoryPolicyMode
  readonly flags: readonly MemoryPolicyFlag[]
  readonly nodes: readonly number[]
}

/** The label that the process has from its next execve(2) on. */
export interface SetExecLabel extends Base {
  readonly kind: 'set-exec-label'
  readonly system: 'apparmor' | 'selinux'
  readonly label: string
}

export interface NoNewPrivileges extends Base {
  readonly kind: 'no-new-privileges'
}

/** PR_CAPBSET_DROP of each capability that is not in `keep`. */
export interface LimitBoundingSet extends Base {
  readonly kind: 'limit-bounding-set'
  /** Capability numbers to drop. */
  readonly drop: readonly number[]
}

/** setgroups, setresgid, setresuid; capabilities are kept over the change of uid. */
export interface SetUser extends Base {
  readonly kind: 'set-user'
  readonly uid: number
  readonly gid: number
  /** Absent: the groups stay as they are: setgroups(2) is denied, or it was asked for. */
  readonly additionalGids?: readonly number[]
}

/** capset(2) and the ambient set; the sets are bit masks of capability numbers. */
export interface SetCapabilities extends Base {
  readonly kind: 'set-capabilities'
  readonly effective: bigint
  readonly permitted: bigint
  readonly inheritable: bigint
  /** Absent: left as it is (prctl may be denied by the filter that is on by then). */
  readonly ambient?: readonly number[]
}

/** getcwd(2) must give a path inside the root (CVE-2024-21626). */
export interface VerifyDirectory extends Base {
  readonly kind: 'verify-directory'
}

/** Tries each candidate in turn, as the container's user: exists, no directory, executable. */
export interface FindExecutable extends Base {
  readonly kind: 'find-executable'
  /** args[0] as configured. */
  readonly name: string
  readonly candidates: readonly string[]
}

/** Waits on the start socket; TERM, INT, HUP and QUIT end the container meanwhile. */
export interface WaitForStart extends Base {
  readonly kind: 'wait-for-start'
}

/** Moves preserved fds to 3…, marks everything else above them close-on-exec. */
export interface ArrangeDescriptors extends Base {
  readonly kind: 'arrange-descriptors'
  /** How many fds the container inherits beyond stdio. */
  readonly preserved: number
}

/** An agent that answers system calls: seccomp_unotify(2). */
export interface SeccompListener {
  /** Its unix socket on the host. */
  readonly path: string
  /** Passed on to it as it is. */
  readonly metadata: string
}

export interface LoadSeccomp extends Base {
  readonly kind: 'load-seccomp'
  /** struct sock_filter[], base64. */
  readonly filter: string
  /** SECCOMP_FILTER_FLAG_* by name without the prefix: `LOG`, `SPEC_ALLOW`, `NEW_LISTENER`. */
  readonly flags: readonly string[]
  /** Who gets the fd of SCMP_ACT_NOTIFY; there exactly with `NEW_LISTENER`. */
  readonly listener?: SeccompListener
}

/** execve(2) of what `find-executable` found. */
export interface Execute extends Base {
  readonly kind: 'execute'
  readonly args: readonly string[]
  readonly env: readonly string[]
}

export type InitStep =
  | JoinNamespace
  | SetDumpable
  | UnshareUserNamespace
  | UnshareTimeNamespace
  | BecomeRoot
  | CloneInit
  | HoldMountNamespace
  | JoinContainer
  | CloneProcess
  | SetAffinity
  | UnshareCgroupNamespace
  | NewSession
  | SetKeyringLabel
  | JoinSessionKeyring
  | RaiseLoopback
  | SetHostname
  | SetDomainname
  | SetSysctl
  | SetPropagation
  | BindRootfs
  | MountFilesystem
  | BindMount
  | Remount
  | FinishReadonly
  | MakeDevice
  | MakeSymlink
  | MaskPath
  | MakePathReadonly
  | Unmount
  | EnterRoot
  | OwnStdio
  | OpenTerminal
  | AttachTerminal
  | BindConsole
  | MakeDirectory
  | ChangeDirectory
  | SetUmask
  | SetLimit
  | SetScheduler
  | SetIoPriority
  | SetPersonality
  | SetMemoryPolicy
  | SetExecLabel
  | NoNewPrivileges
  | LimitBoundingSet
  | SetUser
  | SetCapabilities
  | VerifyDirectory
  | FindExecutable
  | WaitForStart
  | RunHook
  | ArrangeDescriptors
  | LoadSeccomp
  | Execute

// ---------------------------------------------------------------------------- exchange steps

/** The runtime reads the container's /etc/passwd and answers with `HOME=…` for `execute`. */
export interface ReadHome extends Base {
  readonly kind: 'read-home'
  readonly uid: number
}

/** The runtime reads the head of the executable: a missing interpreter is create's error. */
export interface InspectExecutable extends Base {
  readonly kind: 'inspect-executable'
  readonly name: string
}

/**
 * Moves a network device of the host into the container's network namespace: with its global
 * addresses, under its new name, and up.
 */
export interface MoveNetDevice extends Base {
  readonly kind: 'move-net-device'
  readonly device: string
  readonly name: string
}

export type ExchangeStep = ReadHome | InspectExecutable | MoveNetDevice

export type Step = HostStep | InitStep | ExchangeStep
export type StepKind = Step['kind']
