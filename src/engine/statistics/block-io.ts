/** Block devices: bytes and operations. */
import type { Counters } from './counters.ts'
import { readPressure } from './pressure.ts'

interface Entry {
  readonly major: number
  readonly minor: number
  readonly op: string
  readonly value: bigint
}

/** By the names that runc gives them; BFQ's files hold what it schedules, throttle's all the rest. */
const FILES_V1 = {
  ioServiceBytesRecursive: ['io_service_bytes_recursive', 'throttle.io_service_bytes_recursive'],
  ioServicedRecursive: ['io_serviced_recursive', 'throttle.io_serviced_recursive'],
  ioQueueRecursive: ['io_queued_recursive'],
  ioServiceTimeRecursive: ['io_service_time_recursive'],
  ioWaitTimeRecursive: ['io_wait_time_recursive'],
  ioMergedRecursive: ['io_merged_recursive'],
  ioTimeRecursive: ['time_recursive'],
  sectorsRecursive: ['sectors_recursive'],
} as const

const KEYS_V2 = {
  ioServiceBytesRecursive: { rbytes: 'Read', wbytes: 'Write', dbytes: 'Discard' },
  ioServicedRecursive: { rios: 'Read', wios: 'Write', dios: 'Discard' },
} as const

export function readBlockIo(v1: Counters, v2: Counters) {
  const isV1 = v1.names.some((name) => name.startsWith('blkio.'))
  return {
    ...(isV1 ? readV1(v1) : readV2(v2)),
    ...readPressure(v2.text('io.pressure')),
  }
}

/** Lists that are empty are left out. */
function readV1(v1: Counters): Readonly<Record<string, readonly Entry[]>> {
  const lists = Object.entries(FILES_V1).map(([member, names]) => {
    const files = names.flatMap((name) =>
      name.startsWith('throttle.') ? [`blkio.${name}`] : [`blkio.bfq.${name}`, `blkio.${name}`],
    )
    const found = files.map((file) => parseV1(v1.text(file) ?? '')).find(({ length }) => length > 0)
    return [member, found ?? []] as const
  })
  return Object.fromEntries(lists.filter(([, entries]) => entries.length > 0))
}

/** `8:0 Read 4096`; the last line is the sum of all. */
function parseV1(text: string): readonly Entry[] {
  return [...text.matchAll(/^(\d+):(\d+) (?:(\w+) )?(\d+)$/gm)].map(
    ([, major, minor, op = '', value = '0']) => ({
      major: Number(major),
      minor: Number(minor),
      op,
      value: BigInt(value),
    }),
  )
}

/** io.stat: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0` */
function readV2(v2: Counters): Readonly<Record<string, readonly Entry[]>> {
  const lines = [...(v2.text('io.stat') ?? '').matchAll(/^(\d+):(\d+) (.*)$/gm)]
  const lists = Object.entries(KEYS_V2).map(([member, keys]) => {
    const entries = lines.flatMap(([, major, minor, words = '']) =>
      Object.entries(keys).flatMap(([key, op]) => {
        const value = new RegExp(`\\b${key}=(\\d+)`).exec(words)?.[1]
        return value === undefined
          ? []
          : [{ major: Number(major), minor: Number(minor), op, value: BigInt(value) }]
      }),
    )
    return [member, entries] as const
  })
  return Object.fromEntries(lists.filter(([, entries]) => entries.length > 0))
}
