/** What a container uses, in the shape of runc's `events`. */
import type { ContainerRecord } from '../state/record.ts'
import { isContainers } from './cgroups/processes.ts'
import { readBlockIo } from './statistics/block-io.ts'
import { openCounters } from './statistics/counters.ts'
import { readCpu } from './statistics/cpu.ts'
import { readCpuset } from './statistics/cpuset.ts'
import { readHugetlb, readPids } from './statistics/limits.ts'
import { readMemory } from './statistics/memory.ts'
import { readNetwork } from './statistics/network.ts'

export type Statistics = ReturnType<typeof readStatistics>

/** A look at all counters; each is as fresh as its file. */
export function readStatistics({ cgroups, pid }: ContainerRecord) {
  const own = cgroups.filter(isContainers)
  const v1 = openCounters(own, 1)
  const v2 = openCounters(own, 2)
  return {
    cpu: readCpu(v1, v2),
    cpuset: readCpuset(v1, v2),
    memory: readMemory(v1, v2),
    pids: readPids(v1, v2),
    blkio: readBlockIo(v1, v2),
    hugetlb: readHugetlb(v1, v2),
    intel_rdt: {},
    network_interfaces: readNetwork(pid),
  }
}
