import type { Linux } from '../config/spec.ts'
import type { Fields } from './field.ts'
import { cgroupsPath } from './linux/cgroups-path.ts'
import { devices } from './linux/devices.ts'
import { intelRdt } from './linux/intel-rdt.ts'
import { maskedPaths } from './linux/masked-paths.ts'
import { memoryPolicy } from './linux/memory-policy.ts'
import { mountLabel } from './linux/mount-label.ts'
import { namespaces } from './linux/namespaces.ts'
import { netDevices } from './linux/net-devices.ts'
import { personality } from './linux/personality.ts'
import { readonlyPaths } from './linux/readonly-paths.ts'
import { resources } from './linux/resources.ts'
import { rootfsPropagation } from './linux/rootfs-propagation.ts'
import { seccomp } from './linux/seccomp.ts'
import { sysctl } from './linux/sysctl.ts'
import { timeOffsets } from './linux/time-offsets.ts'
import { uidMappings } from './linux/user-namespace.ts'

/** `linux`; the order within a phase is the order of this table. */
export const linux: Fields<Linux> = {
  // First the cgroup, then what is written into it.
  cgroupsPath,
  resources: { fields: resources },
  namespaces,
  uidMappings,
  gidMappings: { readBy: 'uidMappings' },
  timeOffsets,
  rootfsPropagation,
  sysctl,
  devices,
  netDevices,
  // Read-only first: a path may be in both lists, and a mask shall lie on top.
  readonlyPaths,
  maskedPaths,
  mountLabel,
  intelRdt,
  memoryPolicy,
  personality,
  seccomp,
}
