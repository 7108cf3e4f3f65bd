/** Rules for /linux/resources. */
import type { Issue } from '../../errors.ts'
import { quote } from '../complaints.ts'
import { joinPointer } from '../pointer.ts'
import type { Resources, Spec } from '../spec.ts'
import { type Check, checkRange } from './check.ts'

const AT = '/linux/resources'

/** The number of a device in a rule; -1 is any. */
const MAX_NUMBER = 0xffffffff

function checkDeviceRules({ linux }: Spec): Issue[] {
  return (linux?.resources?.devices ?? []).flatMap((rule, index) => {
    const at = `${AT}/devices/${index}`
    const issues = [
      ...checkRange(rule.major, `${at}/major`, -1, MAX_NUMBER),
      ...checkRange(rule.minor, `${at}/minor`, -1, MAX_NUMBER),
    ]
    if (rule.type !== undefined && !['a', 'b', 'c'].includes(rule.type)) {
      issues.push({ pointer: `${at}/type`, expected: 'a, b or c', found: quote(rule.type) })
    }
    if (rule.access !== undefined && !/^[rwm]{0,3}$/.test(rule.access)) {
      const expected = 'letters of r, w and m'
      issues.push({ pointer: `${at}/access`, expected, found: quote(rule.access) })
    }
    return issues
  })
}

function checkMemory({ linux }: Spec): Issue[] {
  const memory = linux?.resources?.memory
  if (memory === undefined) return []
  const at = `${AT}/memory`
  const issues = checkRange(memory.swappiness, `${at}/swappiness`, 0, 100)
  for (const member of ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'] as const) {
    const value = memory[member] ?? 0n
    if (value >= -1n) continue
    issues.push({ pointer: `${at}/${member}`, expected: 'bytes, or -1', found: String(value) })
  }
  const { limit = 0n, swap = 0n } = memory
  if (limit > 0n && swap > 0n && swap < limit) {
    const expected = `at least the memory limit ${limit}, which it includes`
    issues.push({ pointer: `${at}/swap`, expected, found: String(swap) })
  }
  return issues
}

function checkCpu({ linux }: Spec): Issue[] {
  const cpu = linux?.resources?.cpu
  const issues = checkRange(cpu?.idle, `${AT}/cpu/idle`, 0, 1)
  if (cpu?.idle === 1n && (cpu.shares ?? 0n) !== 0n) {
    const expected = 'no shares, for the cgroup is idle'
    issues.push({ pointer: `${AT}/cpu/shares`, expected, found: String(cpu.shares) })
  }
  return issues
}

function checkPids({ linux }: Spec): Issue[] {
  const limit = linux?.resources?.pids?.limit ?? 0n
  if (limit >= -1n) return []
  return [{ pointer: `${AT}/pids/limit`, expected: 'a number, or -1', found: String(limit) }]
}

type BlockIoDevices = Extract<keyof NonNullable<Resources['blockIO']>, `${string}Device`>

const BLOCK_IO_LISTS: readonly BlockIoDevices[] = [
  'weightDevice',
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
]

function checkBlockIo({ linux }: Spec): Issue[] {
  const blockIo = linux?.resources?.blockIO
  const at = `${AT}/blockIO`
  const weights = [blockIo?.weight, blockIo?.leafWeight]
  const names = ['weight', 'leafWeight']
  const issues = weights.flatMap((weight, index) => checkWeight(weight, `${at}/${names[index]}`))
  for (const list of BLOCK_IO_LISTS) {
    for (const [index, device] of (blockIo?.[list] ?? []).entries()) {
      const item = `${at}/${list}/${index}`
      issues.push(...checkRange(device.major, `${item}/major`, 0, MAX_NUMBER))
      issues.push(...checkRange(device.minor, `${item}/minor`, 0, MAX_NUMBER))
      if ('weight' in device) issues.push(...checkWeight(device.weight, `${item}/weight`))
      if ('leafWeight' in device) {
        issues.push(...checkWeight(device.leafWeight, `${item}/leafWeight`))
      }
    }
  }
  return issues
}

/** Go writers leave 0 where they mean none. */
function checkWeight(weight: number | undefined, pointer: string): Issue[] {
  return weight === 0 ? [] : checkRange(weight, pointer, 10, 1000)
}

/** A key is a file in the container's own cgroup directory, and only controllers' files. */
function checkUnified({ linux }: Spec): Issue[] {
  return Object.keys(linux?.resources?.unified ?? {}).flatMap((name) =>
    /^[^./][^/]*\.[^/]+$/.test(name) && !name.startsWith('cgroup.')
      ? []
      : [
          {
            pointer: joinPointer(`${AT}/unified`, name),
            expected: 'the file of a controller such as memory.high',
            found: quote(name),
          },
        ],
  )
}

export const resourceChecks: readonly Check[] = [
  { name: 'device rules', reads: [`${AT}/devices`], run: checkDeviceRules },
  { name: 'memory limits', reads: [`${AT}/memory`], run: checkMemory },
  { name: 'cpu limits', reads: [`${AT}/cpu`], run: checkCpu },
  { name: 'pids limit', reads: [`${AT}/pids`], run: checkPids },
  { name: 'block I/O', reads: [`${AT}/blockIO`], run: checkBlockIo },
  { name: 'unified files', reads: [`${AT}/unified`], run: checkUnified },
]
