/** The flags of `update`, as the members of `linux.resources` that they stand for. */
import type { Command } from 'commander'
import type { BlockIo, Cpu, Memory, Resources } from '../config/spec.ts'
import type { SchemataLine } from '../fields/linux/intel-rdt.ts'
import { type Flags, textFlag } from './command.ts'
import { parseInteger, parseSize } from './numbers.ts'

export function addResourceFlags(command: Command): Command {
  return command
    .option('-r, --resources <file>', 'linux.resources as JSON; - is stdin; flags come on top')
    .option('--blkio-weight <n>', 'share of block I/O, 10 to 1000')
    .option('--cpu-period <n>', 'period of the CPU quota, in µs')
    .option('--cpu-quota <n>', 'CPU time in each period, in µs')
    .option('--cpu-burst <n>', 'CPU time that may be saved up, in µs')
    .option('--cpu-share <n>', 'share of CPU time, 2 to 262144')
    .option('--cpu-rt-period <n>', 'period of the realtime quota, in µs (cgroup v1)')
    .option('--cpu-rt-runtime <n>', 'realtime CPU time in each period, in µs (cgroup v1)')
    .option('--cpu-idle <n>', '1: only CPU time that nobody else wants; 0: not')
    .option('--cpuset-cpus <list>', 'processors, such as 0-2,7')
    .option('--cpuset-mems <list>', 'memory nodes')
    .option('--memory <bytes>', 'most memory, such as 50M; -1: no limit')
    .option('--memory-reservation <bytes>', 'memory left to it when memory is short')
    .option('--memory-swap <bytes>', 'most memory and swap together; -1: no limit of swap')
    .option('--pids-limit <n>', 'most processes; -1: no limit')
    .option('--l3-cache-schema <line>', 'Intel RDT: a line of L3 cache, such as L3:0=f')
    .option('--mem-bw-schema <line>', 'Intel RDT: a line of memory bandwidth, such as MB:0=50')
    .option('--kernel-memory <bytes>', 'deprecated, without effect')
    .option('--kernel-memory-tcp <bytes>', 'deprecated, without effect')
}

type Reader<T> = (what: string, text: string) => T

/** Throws UsageError where a value is none. What is not given, or '', stays out. */
export function readResourceFlags(flags: Flags): Resources {
  const read = <T>(member: string, name: string, reader: Reader<T>): Record<string, T> => {
    const text = textFlag(flags, name)
    return text ? { [member]: reader(`--${toKebab(name)}`, text) } : {}
  }
  const memory: Memory = {
    ...read('limit', 'memory', parseSize),
    ...read('reservation', 'memoryReservation', parseSize),
    ...read('swap', 'memorySwap', parseSize),
    ...read('kernel', 'kernelMemory', parseSize),
    ...read('kernelTCP', 'kernelMemoryTcp', parseSize),
  }
  const cpu: Cpu = {
    ...read('shares', 'cpuShare', parseInteger),
    ...read('quota', 'cpuQuota', parseInteger),
    ...read('period', 'cpuPeriod', parseInteger),
    ...read('burst', 'cpuBurst', parseInteger),
    ...read('realtimePeriod', 'cpuRtPeriod', parseInteger),
    ...read('realtimeRuntime', 'cpuRtRuntime', parseInteger),
    ...read('idle', 'cpuIdle', parseInteger),
    ...read('cpus', 'cpusetCpus', (_, text) => text),
    ...read('mems', 'cpusetMems', (_, text) => text),
  }
  const blockIO: BlockIo = read('weight', 'blkioWeight', (what, text) =>
    Number(parseInteger(what, text)),
  )
  const { limit } = read('limit', 'pidsLimit', parseInteger)
  return {
    ...withMembers({ memory, cpu, blockIO }),
    ...(limit !== undefined && { pids: { limit } }),
  }
}

/** No resources to the spec, but limits to a user: lines for the container's group of resctrl. */
export function readSchemataFlags(flags: Flags): readonly SchemataLine[] {
  return [
    { origin: '--l3-cache-schema', line: textFlag(flags, 'l3CacheSchema') ?? '' },
    { origin: '--mem-bw-schema', line: textFlag(flags, 'memBwSchema') ?? '' },
  ].filter(({ line }) => line !== '')
}

/** Member by member, the later one counts. */
export function mergeResources(file: Resources, flags: Resources): Resources {
  const { memory = {}, cpu = {}, blockIO = {} } = file
  return {
    ...file,
    ...flags,
    ...withMembers({
      memory: { ...memory, ...flags.memory },
      cpu: { ...cpu, ...flags.cpu },
      blockIO: { ...blockIO, ...flags.blockIO },
    }),
  }
}

/** A section without members would be one that asks for nothing. */
function withMembers<T extends Readonly<Record<string, object>>>(sections: T): Partial<T> {
  const kept = Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0)
  return Object.fromEntries(kept) as Partial<T>
}

function toKebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
