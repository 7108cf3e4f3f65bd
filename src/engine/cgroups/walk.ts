/**
 * A cgroup and all below it. What lies below is the container's where it may write there, so
 * names are bytes that need not be UTF-8, and paths may be longer than any call takes: each
 * directory is reached from the one above it, by one name.
 */
import { closeSync, openSync, readdirSync } from 'node:fs'
import { OPEN_DIRECTORY } from '../../sys/directory.ts'
import { isRemoved } from './files.ts'

export interface CgroupVisitor {
  /** A cgroup, before those below it: a path to it as an open directory, good for the call. */
  readonly enter?: (directory: string) => void
  /** The same, after those below it: a path that ends in its name, and what it is called. */
  readonly leave?: (path: Buffer, shown: string) => void
}

interface Level {
  readonly name: Buffer
  /** What is still to be visited beside it. */
  readonly siblings: Buffer[]
}

/** Visits a cgroup and those below it; what is gone by then is passed over. */
export function walkCgroups(top: string, { enter, leave }: CgroupVisitor): void {
  const first = openChild(Buffer.from(top))
  if (first === undefined) return
  let fd = first
  const above: Level[] = []
  try {
    const list = () => {
      enter?.(`/proc/self/fd/${fd}`)
      return listChildren(`/proc/self/fd/${fd}`)
    }
    // One fd, whatever the depth: the way back is `..`, which cannot change for a cgroup.
    const move = (next: number) => {
      closeSync(fd)
      fd = next
    }
    for (let names = list(); ; ) {
      const name = names.pop()
      const last = name === undefined ? above.pop() : undefined
      if (name !== undefined) {
        const child = openChild(childPath(fd, name))
        if (child === undefined) continue
        move(child)
        above.push({ name, siblings: names })
        names = list()
      } else if (last !== undefined) {
        move(openSync(`/proc/self/fd/${fd}/..`, OPEN_DIRECTORY))
        const shown = [top, ...above.map((level) => level.name), last.name].join('/')
        leave?.(childPath(fd, last.name), shown)
        names = last.siblings
      } else break
    }
  } finally {
    closeSync(fd)
  }
  leave?.(Buffer.from(top), top)
}

function childPath(directory: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name])
}

function openChild(path: Buffer): number | undefined {
  return unlessRemoved(() => openSync(path, OPEN_DIRECTORY))
}

function listChildren(directory: string): Buffer[] {
  const list = () => readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })
  const entries = unlessRemoved(list) ?? []
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** Anything else must not pass for an empty cgroup. */
function unlessRemoved<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isRemoved(error)) return undefined
    throw error
  }
}
