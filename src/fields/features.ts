/** What `features` prints: read off the tables, so that it cannot promise what is not there. */
import { CAPABILITIES } from '../config/capabilities.ts'
import {
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
} from '../config/seccomp-names.ts'
import type {
  Features,
  LinuxFeatures,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  NamespaceType,
  SeccompFlag,
} from '../config/spec.ts'
import type { Fields } from './field.ts'
import { hooks } from './hooks.ts'
import { resources } from './linux/resources.ts'
import { linux } from './linux.ts'
import { MOUNT_OPTIONS } from './mounts/options.ts'
import { process } from './process.ts'

/** Each needs this field of its own, where there is one. */
const NAMESPACES: Readonly<Record<NamespaceType, keyof typeof linux>> = {
  cgroup: 'namespaces',
  ipc: 'namespaces',
  mount: 'namespaces',
  network: 'namespaces',
  pid: 'namespaces',
  time: 'timeOffsets',
  user: 'uidMappings',
  uts: 'namespaces',
}

const MEMORY_MODES: Readonly<Record<MemoryPolicyMode, true>> = {
  MPOL_BIND: true,
  MPOL_DEFAULT: true,
  MPOL_INTERLEAVE: true,
  MPOL_LOCAL: true,
  MPOL_PREFERRED: true,
  MPOL_PREFERRED_MANY: true,
  MPOL_WEIGHTED_INTERLEAVE: true,
}

const MEMORY_FLAGS: Readonly<Record<MemoryPolicyFlag, true>> = {
  MPOL_F_NUMA_BALANCING: true,
  MPOL_F_RELATIVE_NODES: true,
  MPOL_F_STATIC_NODES: true,
}

/** Annotations that change what the runtime does on the host: no business of a container's user. */
const UNSAFE_ANNOTATIONS = ['org.systemd.property.', 'run.oci.']

interface Versions {
  readonly spec: string
  readonly runtime: string
  readonly commit: string
}

/** The same on every host but for `supported`, the flags that its kernel takes. */
export function describeFeatures(versions: Versions, supported: readonly SeccompFlag[]): Features {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: versions.spec,
    hooks: Object.keys(hooks),
    mountOptions: MOUNT_OPTIONS,
    linux: describeLinux(supported),
    annotations: {
      'org.tsrunc.version': versions.runtime,
      'org.tsrunc.commit': versions.commit,
    },
    potentiallyUnsafeConfigAnnotations: UNSAFE_ANNOTATIONS,
  }
}

function describeLinux(supportedFlags: readonly SeccompFlag[]): LinuxFeatures {
  const namespaces = (Object.keys(NAMESPACES) as NamespaceType[]).filter((type) =>
    isThere(linux, NAMESPACES[type]),
  )
  return {
    namespaces,
    capabilities: CAPABILITIES,
    cgroup: {
      v1: true,
      v2: true,
      systemd: true,
      systemdUser: true,
      rdma: isThere(resources, 'rdma'),
    },
    seccomp: {
      enabled: isThere(linux, 'seccomp'),
      actions: SECCOMP_ACTIONS,
      operators: SECCOMP_OPERATORS,
      archs: SECCOMP_ARCHITECTURES,
      knownFlags: SECCOMP_FLAGS,
      supportedFlags,
    },
    apparmor: { enabled: isThere(process, 'apparmorProfile') },
    selinux: { enabled: isThere(process, 'selinuxLabel') },
    intelRdt: {
      enabled: isThere(linux, 'intelRdt'),
      schemata: isThere(linux, 'intelRdt'),
      monitoring: isThere(linux, 'intelRdt'),
    },
    memoryPolicy: {
      modes: Object.keys(MEMORY_MODES) as MemoryPolicyMode[],
      flags: Object.keys(MEMORY_FLAGS) as MemoryPolicyFlag[],
    },
    mountExtensions: { idmap: { enabled: MOUNT_OPTIONS.includes('idmap') } },
    netDevices: { enabled: isThere(linux, 'netDevices') },
  }
}

function isThere<T>(table: Fields<T>, key: keyof Required<T>): boolean {
  const field = table[key]
  return 'plan' in field || 'fields' in field || 'readBy' in field
}
