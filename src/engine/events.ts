/** `events`: statistics and OOM kills of containers, as they come. */
import { StateError } from '../errors.ts'
import type { ContainerRecord } from '../state/record.ts'
import { readStatus } from '../state/status.ts'
import { openContainer, openRoot, readRecord } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { pollDescriptors } from '../sys/poll.ts'
import { openContainerProcess } from './container-process.ts'
import { type OomWatch, watchOom } from './oom.ts'
import { readStatistics, type Statistics } from './statistics.ts'

export type ContainerEvent =
  | { readonly type: 'stats'; readonly id: string; readonly data: Statistics }
  | { readonly type: 'oom'; readonly id: string }

/** The statistics of one container now. Throws StateError when it has stopped. */
export function readContainerStatistics(rootPath: string, id: string): ContainerEvent {
  const record = readLiving(rootPath, id)
  return { type: 'stats', id, data: readStatistics(record) }
}

/**
 * Tells of statistics at each interval, and of each OOM kill when it happens, until every container
 * has ended, or `tell` says that nobody listens. Throws StateError when one has stopped already.
 */
export function streamEvents(
  rootPath: string,
  ids: readonly string[],
  intervalMs: number,
  tell: (event: ContainerEvent) => boolean,
): void {
  const sources: Source[] = []
  try {
    for (const id of ids) sources.push(openSource(rootPath, id))
    stream(sources, intervalMs, tell)
  } finally {
    for (const source of sources) closeSource(source)
  }
}

interface Source {
  readonly id: string
  readonly record: ContainerRecord
  readonly pidfd: number
  readonly oom: OomWatch | undefined
}

function readLiving(rootPath: string, id: string): ContainerRecord {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  if (readStatus(directory, record) === 'stopped') throw notRunning(id)
  return record
}

function notRunning(id: string): StateError {
  return new StateError(`container with id ${id} is not running`)
}

function openSource(rootPath: string, id: string): Source {
  const record = readLiving(rootPath, id)
  const pidfd = openContainerProcess(record)
  if (pidfd === undefined) throw notRunning(id)
  try {
    return { id, record, pidfd, oom: watchOom(record.cgroups) }
  } catch (error) {
    closeFd(pidfd)
    throw error
  }
}

function closeSource({ pidfd, oom }: Source): void {
  closeFd(pidfd)
  oom?.[Symbol.dispose]()
}

function stream(
  sources: Source[],
  intervalMs: number,
  tell: (event: ContainerEvent) => boolean,
): void {
  for (let next = performance.now() + intervalMs; sources.length > 0; ) {
    const ended = awaitNews(sources, next - performance.now())
    for (const { id, oom } of sources) {
      if (oom?.take() && !tell({ type: 'oom', id })) return
    }
    for (const source of ended) {
      sources.splice(sources.indexOf(source), 1)
      closeSource(source)
    }
    if (performance.now() < next) continue
    for (const { id, record } of sources) {
      if (!tell({ type: 'stats', id, data: readStatistics(record) })) return
    }
    // Not by what the printing took later: but never twice at once, after a long pause either.
    next = Math.max(next + intervalMs, performance.now())
  }
}

/** Waits for an OOM, an end or the time; gives the sources that have ended. */
function awaitNews(sources: readonly Source[], timeoutMs: number): readonly Source[] {
  const ends = sources.map(({ pidfd }) => ({ fd: pidfd, for: 'in' as const }))
  const ooms = sources.flatMap(({ oom }) => oom?.watched ?? [])
  const ready = pollDescriptors([...ends, ...ooms], timeoutMs)
  return sources.filter((_, index) => ready.some((one) => one === ends[index]))
}
