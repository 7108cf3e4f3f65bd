/** Being told when the kernel kills in a container because it is out of memory. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordedCgroup } from '../state/record.ts'
import { createEventfd, takeEvents } from '../sys/eventfd.ts'
import type { Watched } from '../sys/poll.ts'
import { isRemoved, writeCgroup } from './cgroups/files.ts'
import { isContainers } from './cgroups/processes.ts'

export interface OomWatch extends Disposable {
  readonly watched: Watched
  /** Whether there was an OOM since the last time. */
  readonly take: () => boolean
}

/** Of the container's memory cgroup; undefined where nothing limits its memory. */
export function watchOom(cgroups: readonly RecordedCgroup[]): OomWatch | undefined {
  for (const { hierarchy, path, version } of cgroups.filter(isContainers)) {
    const directory = hierarchy + path
    const file = version === 1 ? 'memory.oom_control' : 'memory.events'
    try {
      if (!existsSync(join(directory, file))) continue
      return version === 1 ? watchOomControl(directory) : watchMemoryEvents(directory)
    } catch (error) {
      if (!isRemoved(error)) throw error
    }
  }
  return undefined
}

/** v1: an eventfd, registered in cgroup.event_control. The end of the cgroup signals it as well. */
function watchOomControl(directory: string): OomWatch {
  const eventfd = createEventfd()
  const control = openSync(join(directory, 'memory.oom_control'), 'r')
  try {
    writeCgroup(join(directory, 'cgroup.event_control'), `${eventfd} ${control}`)
  } catch (error) {
    closeSync(eventfd)
    throw error
  } finally {
    closeSync(control)
  }
  return {
    watched: { fd: eventfd, for: 'in' },
    take: () => takeEvents(eventfd) > 0 && existsSync(directory),
    [Symbol.dispose]: () => closeSync(eventfd),
  }
}

/** v2: memory.events counts `oom_kill` and can be polled. */
function watchMemoryEvents(directory: string): OomWatch {
  const fd = openSync(join(directory, 'memory.events'), 'r')
  let seen = countKills(fd)
  return {
    watched: { fd, for: 'change' },
    take: () => {
      const before = seen
      seen = countKills(fd)
      return seen > before
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}

const MOST_BYTES = 4096

/** ENODEV once the cgroup is gone: then nothing is new. */
function countKills(fd: number): number {
  const bytes = Buffer.alloc(MOST_BYTES)
  try {
    const length = readSync(fd, bytes, 0, bytes.length, 0)
    return Number(/^oom_kill (\d+)$/m.exec(bytes.toString('latin1', 0, length))?.[1] ?? 0)
  } catch (error) {
    if (isRemoved(error)) return 0
    throw error
  }
}
