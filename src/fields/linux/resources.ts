import type { Resources } from '../../config/spec.ts'
import type { Fields } from '../field.ts'
import { blockIO } from './resources/block-io.ts'
import { cpu } from './resources/cpu.ts'
import { devices } from './resources/devices.ts'
import { hugepageLimits } from './resources/hugepage-limits.ts'
import { memory } from './resources/memory.ts'
import { network } from './resources/network.ts'
import { pids } from './resources/pids.ts'
import { rdma } from './resources/rdma.ts'
import { unified } from './resources/unified.ts'

/** `linux.resources`: limits, as files of cgroups. */
export const resources: Fields<Resources> = {
  devices,
  memory,
  cpu,
  pids,
  blockIO,
  hugepageLimits,
  network,
  rdma,
  unified,
}
