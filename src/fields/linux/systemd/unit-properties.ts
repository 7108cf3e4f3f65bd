/**
 * The limits of a unit as systemd knows them. They are told it beside the files that are written:
 * systemd writes what it knows again when it reloads, or when a neighbour changes.
 */
import type { WriteCgroupFile } from '../../../plan/steps.ts'
import type { TypedValue, UnitProperty } from '../../../plan/unit-property.ts'

type Properties = Readonly<Record<string, TypedValue>>

/** Files of cgroup v2, and what their content is for systemd; undefined: nothing that it has. */
const OF_FILE: Readonly<Record<string, (value: string) => Properties | undefined>> = {
  'memory.max': (value) => amount('MemoryMax', value),
  'memory.high': (value) => amount('MemoryHigh', value),
  'memory.low': (value) => amount('MemoryLow', value),
  'memory.min': (value) => amount('MemoryMin', value),
  'memory.swap.max': (value) => amount('MemorySwapMax', value),
  'memory.zswap.max': (value) => amount('MemoryZSwapMax', value),
  'pids.max': (value) => amount('TasksMax', value),
  'cpu.weight': (value) => amount('CPUWeight', value),
  'cpu.idle': (value) => (value === '1' ? amount('CPUWeight', '0') : undefined),
  'cpu.max': quota,
  'cpuset.cpus': (value) => set('AllowedCPUs', value),
  'cpuset.mems': (value) => set('AllowedMemoryNodes', value),
}

/** The systemd that brought a property, or a value: older ones than Debian 12's are around. */
const SINCE: Readonly<Record<string, number>> = { 'cpu.idle': 252, 'memory.zswap.max': 253 }

/** In the order of the files; of two values for one property the last counts. */
export function unitPropertiesOf(
  files: readonly WriteCgroupFile[],
  version: number,
): readonly UnitProperty[] {
  const properties = new Map<string, UnitProperty>()
  for (const { file, value, origin } of files) {
    if (version < (SINCE[file] ?? 0)) continue
    for (const [name, typed] of Object.entries(OF_FILE[file]?.(value) ?? {})) {
      properties.set(name, { name, ...typed, origin })
    }
  }
  return [...properties.values()]
}

const UNLIMITED = 2n ** 64n - 1n

function amount(name: string, text: string): Properties | undefined {
  const value = parse(text)
  return value === undefined ? undefined : { [name]: { signature: 't', value } }
}

function parse(text: string): bigint | undefined {
  if (text === 'max') return UNLIMITED
  return /^\d{1,20}$/.test(text) ? BigInt(text) : undefined
}

const SECOND = 1_000_000n
/** systemd keeps whole percents of a CPU: rounded up, the file says it exactly. */
const PERCENT = 10_000n

function quota(text: string): Properties | undefined {
  const [time = '', period = '100000'] = text.split(' ')
  const [quotaTime, periodTime] = [parse(time), parse(period)]
  if (quotaTime === undefined || periodTime === undefined || periodTime === 0n) return undefined
  const share = (quotaTime * SECOND) / periodTime
  const value = quotaTime === UNLIMITED ? UNLIMITED : ((share + PERCENT - 1n) / PERCENT) * PERCENT
  return {
    CPUQuotaPeriodUSec: { signature: 't', value: periodTime },
    CPUQuotaPerSecUSec: { signature: 't', value },
  }
}

const MOST_CPUS = 8192

/** A list such as `0-3,7` as a bit mask, the lowest byte first. The kernel refuses a wrong one. */
function set(name: string, list: string): Properties | undefined {
  const bytes: number[] = []
  for (const range of list.trim().split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? []
    if (first === undefined || Number(last) >= MOST_CPUS) return undefined
    for (let number = Number(first); number <= Number(last); number++) {
      while (bytes.length <= number >> 3) bytes.push(0)
      bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (1 << (number & 7))
    }
  }
  return { [name]: { signature: 'ay', value: bytes } }
}
