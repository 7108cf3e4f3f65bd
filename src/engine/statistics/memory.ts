/** Memory, in bytes. */
import type { Counters } from './counters.ts'
import { readPressure } from './pressure.ts'

interface Usage {
  readonly limit: bigint
  readonly usage: bigint
  /** The most that was used at once. */
  readonly max: bigint
  /** How often the limit was reached. */
  readonly failcnt: bigint
}

export function readMemory(v1: Counters, v2: Counters) {
  const isV1 = v1.text('memory.stat') !== undefined
  return {
    ...(isV1 ? readV1(v1) : readV2(v2)),
    ...readPressure(v2.text('memory.pressure')),
  }
}

function readV1(v1: Counters) {
  const stat = v1.table('memory.stat')
  return {
    cache: stat.get('cache') ?? 0n,
    usage: readUsage(v1, 'memory'),
    swap: readUsage(v1, 'memory.memsw'),
    kernel: readUsage(v1, 'memory.kmem'),
    kernelTCP: readUsage(v1, 'memory.kmem.tcp'),
    raw: Object.fromEntries(stat),
  }
}

function readUsage(v1: Counters, name: string): Usage {
  return {
    limit: v1.number(`${name}.limit_in_bytes`),
    usage: v1.number(`${name}.usage_in_bytes`),
    max: v1.number(`${name}.max_usage_in_bytes`),
    failcnt: v1.number(`${name}.failcnt`),
  }
}

/** As with v1, `swap` is memory and swap together: what runc makes of v2, too. */
function readV2(v2: Counters) {
  const stat = v2.table('memory.stat')
  const memory: Usage = {
    limit: v2.number('memory.max'),
    usage: v2.number('memory.current'),
    max: v2.number('memory.peak'),
    failcnt: v2.table('memory.events').get('max') ?? 0n,
  }
  const most = v2.number('memory.swap.max')
  const unlimited = v2.text('memory.swap.max')?.trim() === 'max' || isUnlimited(v2)
  const swap = {
    limit: unlimited ? most : memory.limit + most,
    usage: memory.usage + v2.number('memory.swap.current'),
    max: memory.max + v2.number('memory.swap.peak'),
    failcnt: v2.table('memory.swap.events').get('max') ?? 0n,
  }
  const raw = Object.fromEntries(stat)
  return { cache: stat.get('file') ?? 0n, usage: memory, swap, kernel: {}, kernelTCP: {}, raw }
}

function isUnlimited(v2: Counters): boolean {
  return v2.text('memory.max')?.trim() === 'max'
}
