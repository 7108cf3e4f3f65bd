/** What is counted in pieces: processes and huge pages. */
import { type Counters, MOST } from './counters.ts'

/** No limit is 0, as runc has it. */
export function readPids(v1: Counters, v2: Counters) {
  const counters = v1.text('pids.current') === undefined ? v2 : v1
  const limit = counters.number('pids.max')
  return { current: counters.number('pids.current'), limit: limit === MOST ? 0n : limit }
}

/** By page size: `2MB`. */
export function readHugetlb(v1: Counters, v2: Counters) {
  const fromV1 = sizesIn(v1, /^hugetlb\.(\d+[KMG]B)\.usage_in_bytes$/).map((size) => [
    size,
    {
      usage: v1.number(`hugetlb.${size}.usage_in_bytes`),
      max: v1.number(`hugetlb.${size}.max_usage_in_bytes`),
      failcnt: v1.number(`hugetlb.${size}.failcnt`),
    },
  ])
  const fromV2 = sizesIn(v2, /^hugetlb\.(\d+[KMG]B)\.current$/).map((size) => [
    size,
    {
      usage: v2.number(`hugetlb.${size}.current`),
      failcnt: v2.table(`hugetlb.${size}.events`).get('max') ?? 0n,
    },
  ])
  return Object.fromEntries([...fromV2, ...fromV1])
}

function sizesIn({ names }: Counters, pattern: RegExp): readonly string[] {
  return names.flatMap((name) => pattern.exec(name)?.[1] ?? [])
}
