/** Which cgroup hierarchies are mounted, read from /proc/self/mountinfo. proc_pid_mountinfo(5). */
import type { CgroupFacts } from './facts.ts'

/** Where distributions mount them: a second mount elsewhere is somebody's own affair. */
const MOUNT_ROOT = '/sys/fs/cgroup'

interface Mount {
  readonly id: string
  readonly parent: string
  readonly mountpoint: string
  readonly type: string
  readonly options: string
}

/** `readControllers` gives the content of a v2 hierarchy's cgroup.controllers. */
export function parseHierarchies(
  mountinfo: string,
  readControllers: (mountpoint: string) => string,
): CgroupFacts {
  const mounts = mountinfo.split('\n').map(parseMount).filter(isAtMountRoot)
  const visible = mounts.filter(
    (mount) => isWithin(mount.mountpoint, MOUNT_ROOT) && !isHidden(mount, mounts),
  )
  const v1 = visible
    .filter(({ type }) => type === 'cgroup')
    .map(({ mountpoint, options }) => ({ mountpoint, controllers: findControllers(options) }))
  const mountpoint = visible.find(({ type }) => type === 'cgroup2')?.mountpoint
  if (mountpoint === undefined) return { mode: 'legacy', v1 }
  const controllers = readControllers(mountpoint).split(/\s+/).filter(Boolean)
  const isUnified = mountpoint === MOUNT_ROOT
  return {
    mode: isUnified ? 'unified' : 'hybrid',
    v1: isUnified ? [] : v1,
    v2: { mountpoint, controllers },
  }
}

function parseMount(line: string): Mount {
  const [mount = '', filesystem = ''] = line.split(' - ')
  const [id = '', parent = '', , , path = ''] = mount.split(' ')
  const [type = '', , options = ''] = filesystem.split(' ')
  return { id, parent, mountpoint: unescapePath(path), type, options }
}

function isAtMountRoot({ mountpoint }: Mount): boolean {
  return isWithin(mountpoint, MOUNT_ROOT) || isWithin(MOUNT_ROOT, mountpoint)
}

/** The lines are in no order that tells which mount lies over which: their parents do. */
function isHidden(mount: Mount, mounts: readonly Mount[]): boolean {
  const { id, mountpoint } = mount
  const isCovered = mounts.some((other) => other.parent === id && other.mountpoint === mountpoint)
  return isCovered || isBehindAnother(mount, mounts)
}

function isBehindAnother(mount: Mount, mounts: readonly Mount[]): boolean {
  const { id, parent, mountpoint } = mount
  const others = mounts.filter((other) => other.parent === parent && other.id !== id)
  if (others.some((other) => isWithin(mountpoint, other.mountpoint))) return true
  const below = mounts.find((other) => other.id === parent)
  return below !== undefined && isBehindAnother(below, mounts)
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

/** Super options of a v1 hierarchy beside its controllers. */
const NO_CONTROLLERS = new Set(['rw', 'ro', 'none', 'xattr', 'noprefix', 'clone_children'])

function findControllers(options: string): readonly string[] {
  return options
    .split(',')
    .filter((word) => !NO_CONTROLLERS.has(word))
    .filter((word) => word.startsWith('name=') || !word.includes('='))
}

/** Spaces, tabs, newlines and backslashes stand in octal. */
function unescapePath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}
