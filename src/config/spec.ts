/**
 * config.json of runtime-spec 1.3 as it is after loading. Integers that the spec calls 64-bit are
 * bigint (RLIM_INFINITY is 2^64-1, which a double cannot hold), all others number.
 */

export interface Spec {
  readonly ociVersion: string
  readonly root?: Root
  readonly process?: Process
  readonly hostname?: string
  readonly domainname?: string
  readonly mounts?: readonly Mount[]
  readonly hooks?: Hooks
  readonly annotations?: Readonly<Record<string, string>>
  readonly linux?: Linux
  readonly vm?: OtherPlatform
  readonly windows?: OtherPlatform
  readonly zos?: OtherPlatform
  readonly freebsd?: OtherPlatform
  readonly solaris?: OtherPlatform
}

/** Validated by its schema, without effect on Linux. */
export type OtherPlatform = Readonly<Record<string, unknown>>

export interface Root {
  readonly path: string
  readonly readonly?: boolean
}

export interface Process {
  readonly terminal?: boolean
  readonly consoleSize?: ConsoleSize
  readonly user?: User
  readonly args?: readonly string[]
  readonly commandLine?: string
  readonly env?: readonly string[]
  readonly cwd: string
  readonly capabilities?: Capabilities
  readonly rlimits?: readonly Rlimit[]
  readonly noNewPrivileges?: boolean
  readonly apparmorProfile?: string
  readonly oomScoreAdj?: number
  readonly scheduler?: Scheduler
  readonly selinuxLabel?: string
  readonly ioPriority?: IoPriority
  readonly execCPUAffinity?: ExecCpuAffinity
}

export interface ConsoleSize {
  readonly height: number
  readonly width: number
}

export interface User {
  readonly uid?: number
  readonly gid?: number
  readonly umask?: number
  readonly additionalGids?: readonly number[]
  readonly username?: string
}

/** Names such as `CAP_KILL`; unknown ones are possible and are skipped with a warning. */
export interface Capabilities {
  readonly bounding?: readonly string[]
  readonly effective?: readonly string[]
  readonly inheritable?: readonly string[]
  readonly permitted?: readonly string[]
  readonly ambient?: readonly string[]
}

export const RLIMIT_TYPES = [
  'RLIMIT_AS',
  'RLIMIT_CORE',
  'RLIMIT_CPU',
  'RLIMIT_DATA',
  'RLIMIT_FSIZE',
  'RLIMIT_LOCKS',
  'RLIMIT_MEMLOCK',
  'RLIMIT_MSGQUEUE',
  'RLIMIT_NICE',
  'RLIMIT_NOFILE',
  'RLIMIT_NPROC',
  'RLIMIT_RSS',
  'RLIMIT_RTPRIO',
  'RLIMIT_RTTIME',
  'RLIMIT_SIGPENDING',
  'RLIMIT_STACK',
] as const

export type RlimitType = (typeof RLIMIT_TYPES)[number]

export interface Rlimit {
  readonly type: RlimitType
  readonly soft: bigint
  readonly hard: bigint
}

export type SchedulerPolicy =
  | 'SCHED_OTHER'
  | 'SCHED_FIFO'
  | 'SCHED_RR'
  | 'SCHED_BATCH'
  | 'SCHED_ISO'
  | 'SCHED_IDLE'
  | 'SCHED_DEADLINE'

export type SchedulerFlag =
  | 'SCHED_FLAG_RESET_ON_FORK'
  | 'SCHED_FLAG_RECLAIM'
  | 'SCHED_FLAG_DL_OVERRUN'
  | 'SCHED_FLAG_KEEP_POLICY'
  | 'SCHED_FLAG_KEEP_PARAMS'
  | 'SCHED_FLAG_UTIL_CLAMP_MIN'
  | 'SCHED_FLAG_UTIL_CLAMP_MAX'

export interface Scheduler {
  readonly policy: SchedulerPolicy
  readonly nice?: number
  readonly priority?: number
  readonly flags?: readonly SchedulerFlag[]
  readonly runtime?: bigint
  readonly deadline?: bigint
  readonly period?: bigint
}

export interface IoPriority {
  readonly class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE'
  readonly priority?: number
}

export interface ExecCpuAffinity {
  readonly initial?: string
  readonly final?: string
}

export interface Mount {
  readonly destination: string
  readonly type?: string
  readonly source?: string
  readonly options?: readonly string[]
  readonly uidMappings?: readonly IdMapping[]
  readonly gidMappings?: readonly IdMapping[]
}

export interface IdMapping {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

export interface Hooks {
  readonly prestart?: readonly Hook[]
  readonly createRuntime?: readonly Hook[]
  readonly createContainer?: readonly Hook[]
  readonly startContainer?: readonly Hook[]
  readonly poststart?: readonly Hook[]
  readonly poststop?: readonly Hook[]
}

export interface Hook {
  readonly path: string
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  /** Seconds. */
  readonly timeout?: number
}

export interface Linux {
  readonly namespaces?: readonly Namespace[]
  readonly uidMappings?: readonly IdMapping[]
  readonly gidMappings?: readonly IdMapping[]
  readonly timeOffsets?: TimeOffsets
  readonly devices?: readonly Device[]
  readonly netDevices?: Readonly<Record<string, NetDevice>>
  readonly cgroupsPath?: string
  readonly resources?: Resources
  readonly intelRdt?: IntelRdt
  readonly memoryPolicy?: MemoryPolicy
  readonly sysctl?: Readonly<Record<string, string>>
  readonly seccomp?: Seccomp
  readonly rootfsPropagation?: `${'' | 'r'}${'private' | 'shared' | 'slave' | 'unbindable'}`
  readonly maskedPaths?: readonly string[]
  readonly readonlyPaths?: readonly string[]
  readonly mountLabel?: string
  readonly personality?: Personality
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'

export interface Namespace {
  readonly type: NamespaceType
  readonly path?: string
}

export interface TimeOffsets {
  readonly monotonic?: TimeOffset
  readonly boottime?: TimeOffset
}

export interface TimeOffset {
  readonly secs?: bigint
  readonly nanosecs?: number
}

export interface Device {
  /** `u` is an unbuffered character device: the same as `c` on Linux. */
  readonly type: 'c' | 'b' | 'u' | 'p'
  readonly path: string
  readonly major?: number
  readonly minor?: number
  /** Podman leaves the bits of the file's type in: mask with 0o777. */
  readonly fileMode?: number
  readonly uid?: number
  readonly gid?: number
}

export interface NetDevice {
  readonly name?: string
}

export interface Resources {
  readonly devices?: readonly DeviceRule[]
  readonly memory?: Memory
  readonly cpu?: Cpu
  readonly pids?: Pids
  readonly blockIO?: BlockIo
  readonly hugepageLimits?: readonly HugepageLimit[]
  readonly network?: Network
  readonly rdma?: Readonly<Record<string, Rdma>>
  readonly unified?: Readonly<Record<string, string>>
}

export interface DeviceRule {
  readonly allow: boolean
  readonly type?: 'a' | 'c' | 'b'
  /** -1 and absent: any. */
  readonly major?: number
  readonly minor?: number
  /** Letters of `rwm`; absent: all three. */
  readonly access?: string
}

export interface Memory {
  readonly limit?: bigint
  readonly reservation?: bigint
  /** Memory and swap together. */
  readonly swap?: bigint
  readonly kernel?: bigint
  readonly kernelTCP?: bigint
  readonly swappiness?: bigint
  readonly disableOOMKiller?: boolean
  readonly useHierarchy?: boolean
  readonly checkBeforeUpdate?: boolean
}

export interface Cpu {
  readonly shares?: bigint
  readonly quota?: bigint
  readonly burst?: bigint
  readonly period?: bigint
  readonly realtimeRuntime?: bigint
  readonly realtimePeriod?: bigint
  readonly cpus?: string
  readonly mems?: string
  readonly idle?: bigint
}

export interface Pids {
  readonly limit: bigint
}

export interface BlockIo {
  readonly weight?: number
  readonly leafWeight?: number
  readonly weightDevice?: readonly WeightDevice[]
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[]
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[]
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[]
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[]
}

export interface WeightDevice {
  readonly major: number
  readonly minor: number
  readonly weight?: number
  readonly leafWeight?: number
}

export interface ThrottleDevice {
  readonly major: number
  readonly minor: number
  readonly rate?: bigint
}

export interface HugepageLimit {
  /** `2MB`, `1GB`. */
  readonly pageSize: string
  readonly limit: bigint
}

export interface Network {
  readonly classID?: number
  readonly priorities?: readonly InterfacePriority[]
}

export interface InterfacePriority {
  readonly name: string
  readonly priority: number
}

export interface Rdma {
  readonly hcaHandles?: number
  readonly hcaObjects?: number
}

export interface IntelRdt {
  readonly closID?: string
  readonly schemata?: readonly string[]
  readonly l3CacheSchema?: string
  readonly memBwSchema?: string
  readonly enableMonitoring?: boolean
}

export interface MemoryPolicy {
  readonly mode?: MemoryPolicyMode
  readonly nodes?: string
  readonly flags?: readonly MemoryPolicyFlag[]
}

export type MemoryPolicyMode =
  | 'MPOL_DEFAULT'
  | 'MPOL_BIND'
  | 'MPOL_INTERLEAVE'
  | 'MPOL_WEIGHTED_INTERLEAVE'
  | 'MPOL_PREFERRED'
  | 'MPOL_PREFERRED_MANY'
  | 'MPOL_LOCAL'

export type MemoryPolicyFlag =
  | 'MPOL_F_NUMA_BALANCING'
  | 'MPOL_F_RELATIVE_NODES'
  | 'MPOL_F_STATIC_NODES'

export interface Personality {
  readonly domain?: 'LINUX' | 'LINUX32'
  readonly flags?: readonly string[]
}

export interface Seccomp {
  readonly defaultAction: SeccompAction
  readonly defaultErrnoRet?: number
  readonly architectures?: readonly SeccompArchitecture[]
  readonly flags?: readonly SeccompFlag[]
  readonly listenerPath?: string
  readonly listenerMetadata?: string
  readonly syscalls?: readonly SeccompRule[]
}

export interface SeccompRule {
  readonly names: readonly string[]
  readonly action: SeccompAction
  readonly errnoRet?: number
  readonly args?: readonly SeccompArgument[]
}

export interface SeccompArgument {
  readonly index: number
  readonly value: bigint
  readonly valueTwo?: bigint
  readonly op: SeccompOperator
}

export type SeccompAction = `SCMP_ACT_${
  | 'KILL'
  | 'KILL_PROCESS'
  | 'KILL_THREAD'
  | 'TRAP'
  | 'ERRNO'
  | 'TRACE'
  | 'ALLOW'
  | 'LOG'
  | 'NOTIFY'}`

export type SeccompOperator = `SCMP_CMP_${'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ'}`

export type SeccompFlag = `SECCOMP_FILTER_FLAG_${
  | 'TSYNC'
  | 'LOG'
  | 'SPEC_ALLOW'
  | 'WAIT_KILLABLE_RECV'}`

export type SeccompArchitecture = `SCMP_ARCH_${
  | 'X86'
  | 'X86_64'
  | 'X32'
  | 'ARM'
  | 'AARCH64'
  | 'LOONGARCH64'
  | 'M68K'
  | 'MIPS'
  | 'MIPS64'
  | 'MIPS64N32'
  | 'MIPSEL'
  | 'MIPSEL64'
  | 'MIPSEL64N32'
  | 'PPC'
  | 'PPC64'
  | 'PPC64LE'
  | 'S390'
  | 'S390X'
  | 'SH'
  | 'SHEB'
  | 'PARISC'
  | 'PARISC64'
  | 'RISCV64'}`

/** What `state` prints and hooks read on their stdin. */
export interface State {
  readonly ociVersion: string
  readonly id: string
  readonly status: 'creating' | 'created' | 'running' | 'stopped'
  /** Absent or 0 once stopped. */
  readonly pid?: number
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** What `features` prints. */
export interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks?: readonly string[]
  readonly mountOptions?: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[]
  readonly linux?: LinuxFeatures
}

export interface LinuxFeatures {
  readonly namespaces?: readonly NamespaceType[]
  readonly capabilities?: readonly string[]
  readonly cgroup?: {
    readonly v1?: boolean
    readonly v2?: boolean
    readonly systemd?: boolean
    readonly systemdUser?: boolean
    readonly rdma?: boolean
  }
  readonly seccomp?: {
    readonly enabled?: boolean
    readonly actions?: readonly SeccompAction[]
    readonly operators?: readonly SeccompOperator[]
    readonly archs?: readonly SeccompArchitecture[]
    readonly knownFlags?: readonly SeccompFlag[]
    readonly supportedFlags?: readonly SeccompFlag[]
  }
  readonly apparmor?: Switch
  readonly selinux?: Switch
  readonly intelRdt?: Switch & { readonly schemata?: boolean; readonly monitoring?: boolean }
  readonly memoryPolicy?: {
    readonly modes?: readonly MemoryPolicyMode[]
    readonly flags?: readonly MemoryPolicyFlag[]
  }
  readonly mountExtensions?: { readonly idmap?: Switch }
  readonly netDevices?: Switch
}

interface Switch {
  readonly enabled?: boolean
}
