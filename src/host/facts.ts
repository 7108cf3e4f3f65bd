/** What the planner knows of the host. `questions.ts` asks, `look.ts` answers; both fill this. */
import type { NamespaceType } from '../plan/steps.ts'

export type PathKind = 'directory' | 'file' | 'link' | 'missing'

/** One mounted cgroup hierarchy. */
export interface CgroupHierarchy {
  readonly mountpoint: string
  /** v1 controllers (`cpu`, `cpuacct`), `name=systemd`, or the v2 controllers available here. */
  readonly controllers: readonly string[]
  /** The caller may not make the container's cgroup here: the path of its own, `/` if unseen. */
  readonly closed?: string
}

export interface CgroupFacts {
  /** `unified`: v2 at /sys/fs/cgroup. `hybrid`: v1 controllers and v2 beside them. `legacy`: v1. */
  readonly mode: 'unified' | 'hybrid' | 'legacy'
  readonly v1: readonly CgroupHierarchy[]
  /** The v2 hierarchy, where there is one. */
  readonly v2?: CgroupHierarchy
  /** What relative paths lie below, where that is not CGROUP_HOME: an unprivileged caller's. */
  readonly home?: string
}

export interface DeviceNode {
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
}

/** The service manager that makes units; or why there is none to talk to. */
export type SystemdFacts =
  | {
      /** Below the hierarchy: what all its units lie in; '' for the root. */
      readonly controlGroup: string
      /** 257 */
      readonly version: number
    }
  | { readonly problem: string }

export interface ResourceLimit {
  readonly soft: bigint
  readonly hard: bigint
}

/** What the compiled seccomp filter is; made by libseccomp, so a fact and not a decision. */
export interface SeccompFacts {
  /** struct sock_filter[] as base64. */
  readonly filter: string
  /** Names in the profile that this libseccomp does not know: skipped, as the spec asks. */
  readonly unknownSyscalls: readonly string[]
}

export interface Facts {
  readonly architecture: 'x64' | 'arm64'
  /** Effective uid and gid of the caller. */
  readonly uid: number
  readonly gid: number
  readonly cgroup: CgroupFacts
  /** The caller's limits, before Node changed them: `RLIMIT_NOFILE` … */
  readonly limits: Readonly<Record<string, ResourceLimit>>
  /** Host paths that the config names (rootfs, bind sources, hooks), as they are now. */
  readonly paths: ReadonlyMap<string, PathKind>
  /** Targets of the links among those that the config would not follow. */
  readonly links: ReadonlyMap<string, string>
  /** For each namespace path in the config: the type and inode; undefined: not a namespace. */
  readonly namespaces: ReadonlyMap<string, { type: NamespaceType; inode: bigint } | undefined>
  /** Inodes of the runtime's own namespaces. */
  readonly ownNamespaces: Readonly<Partial<Record<NamespaceType, bigint>>>
  /** The runtime's own user namespace. */
  readonly userNamespace: {
    /** The machine's: ids are what they seem, and its root may make device nodes. */
    readonly isInitial: boolean
    /** What /proc/self/setgroups says, which namespaces below inherit. */
    readonly setgroups: 'allow' | 'deny'
  }
  /** Paths of newuidmap and newgidmap, where both are installed. */
  readonly idMapHelpers?: { readonly uid: string; readonly gid: string }
  /** The device nodes that are at the host's paths of /linux/devices. */
  readonly devices: ReadonlyMap<string, DeviceNode>
  /** The highest capability that the kernel knows (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number
  /** The caller's own sets, as masks (CapPrm, CapBnd of /proc/self/status). */
  readonly permittedCapabilities: bigint
  readonly boundingCapabilities: bigint
  /** Where resctrl is mounted, if it is. */
  readonly resctrl?: string
  readonly apparmor: boolean
  readonly selinux: boolean
  readonly seccomp?: SeccompFacts
  /** With --systemd-cgroup alone. */
  readonly systemd?: SystemdFacts
}

/** What the caller asked for beside the config. */
export interface CreateOptions {
  readonly id: string
  /** Absolute path. */
  readonly bundle: string
  readonly noPivot: boolean
  readonly noNewKeyring: boolean
  readonly preserveFds: number
  readonly systemdCgroup: boolean
  /** Bus address of the caller's own service manager; absent: the system's is asked. */
  readonly userBus?: string
  /** No cgroup is made: the container stays in that of its caller. */
  readonly withoutCgroup?: boolean
  /** LISTEN_FDS of the caller: fds 3… that go to the container (0: none). */
  readonly listenFds: number
  /** Detached containers need a console socket for a terminal; checked at planning. */
  readonly detach: boolean
  /** Absolute path of the socket that takes the master of the terminal. */
  readonly consoleSocket?: string
  /** Host directory for the socket that the container notifies, where its caller waits for that. */
  readonly notifyDirectory?: string
}

/** What the caller of `exec` asked for beside the process. */
export interface ExecOptions extends CreateOptions {
  /** Paths below the container's cgroup, by controller; `''`: in all hierarchies. */
  readonly subCgroups: ReadonlyMap<string, string>
}

/** A cgroup of a running container. */
export interface ContainerCgroup {
  /** Mount point of the hierarchy. */
  readonly hierarchy: string
  /** Below it, absolute. */
  readonly path: string
  readonly version: 1 | 2
  /** Where its first process is, if that is below `path` (v2 alone). */
  readonly pathOfInit?: string
}

/** What `update` has to know of the cgroups that it changes. */
export interface LimitFacts {
  /** Below the mount point of each hierarchy, absolute. */
  readonly path: string
  /** Files as they are now, trimmed: `memory.max` → `67108864`. */
  readonly current: ReadonlyMap<string, string>
  /** The unit of systemd that the cgroup is of. */
  readonly unit?: { readonly name: string; readonly userBus?: string }
}

/** What the planner knows of a running container. */
export interface ContainerFacts {
  /** The types of its namespaces that are not the runtime's own. */
  readonly namespaces: readonly NamespaceType[]
  /** Path of its first process's root, of a container without a mount namespace of its own. */
  readonly root?: string
  readonly cgroups: readonly ContainerCgroup[]
}
