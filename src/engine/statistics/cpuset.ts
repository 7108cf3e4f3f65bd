import type { Counters } from './counters.ts'

const FLAGS = [
  'cpu_exclusive',
  'mem_hardwall',
  'mem_exclusive',
  'memory_migrate',
  'memory_spread_page',
  'memory_spread_slab',
  'memory_pressure',
  'sched_load_balance',
  'sched_relax_domain_level',
] as const

/** Processors and memory nodes that the container may use. */
export function readCpuset(v1: Counters, v2: Counters) {
  if (v1.text('cpuset.cpus') === undefined) {
    return {
      cpus: parseList(v2.text('cpuset.cpus.effective')),
      mems: parseList(v2.text('cpuset.mems.effective')),
    }
  }
  return {
    cpus: parseList(v1.text('cpuset.cpus')),
    mems: parseList(v1.text('cpuset.mems')),
    ...Object.fromEntries(FLAGS.map((name) => [name, v1.number(`cpuset.${name}`)])),
  }
}

/** `0-3,7` as numbers. */
export function parseList(text = ''): readonly number[] {
  return text
    .trim()
    .split(',')
    .filter(Boolean)
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}
