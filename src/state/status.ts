/**
 * The status of a container, derived from the kernel and the status page each time: a stored word
 * would be wrong as soon as a process dies without asking us. Pure file reads, no native code.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LANE, LANE_ENDED, LANE_SIZE } from '../lower/instruction-set.ts'
import { readBootId, readProcess } from '../sys/proc.ts'
import type { ContainerRecord } from './record.ts'
import { readStatusPage } from './status-page.ts'
import type { ContainerDirectory } from './store.ts'

export type Status = 'creating' | 'created' | 'running' | 'stopped' | 'paused'

/** What the container is doing now. */
export function readStatus(directory: ContainerDirectory, record: ContainerRecord): Status {
  if (record.creating && record.pid === 0) return 'creating'
  if (!isAlive(record)) return 'stopped'
  if (record.creating) return 'creating'
  if (isFrozen(record)) return 'paused'
  return readIndex(directory, record) < record.executeIndex ? 'created' : 'running'
}

function isAlive(record: ContainerRecord): boolean {
  const found = readProcess(record.pid)
  return (
    found !== undefined &&
    found.startTime === record.startTime &&
    !found.hasEnded &&
    record.bootId === readBootId()
  )
}

/** Index of the last instruction that the container's process began. */
function readIndex(directory: ContainerDirectory, record: ContainerRecord): number {
  const page = readStatusPage(directory)
  const at = record.lane * LANE_SIZE + LANE.next
  return at + 4 > page.length ? -1 : page.readUInt32LE(at) - 1
}

/** Where in the status page stands how the process of a lane ended. */
export function endOffset(lane: number): number {
  return lane * LANE_SIZE + LANE.end
}

/** How the container's process ended, 128 + n by a signal; undefined where nobody recorded it. */
export function readExitStatus(page: Buffer, lane: number): number | undefined {
  const at = endOffset(lane)
  const end = at + 4 > page.length ? 0 : page.readUInt32LE(at)
  return end < LANE_ENDED ? undefined : end - LANE_ENDED
}

function isFrozen(record: ContainerRecord): boolean {
  return record.cgroups.some(({ hierarchy, path, version }) => {
    const directory = join(hierarchy, path)
    return version === 2
      ? readFile(join(directory, 'cgroup.events')).includes('frozen 1')
      : readFile(join(directory, 'freezer.state')).startsWith('FROZEN')
  })
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
