/** Which cgroup hierarchies are mounted, read from /proc/self/mountinfo. proc_pid_mountinfo(5). */
import type { CgroupFacts, CgroupHierarchy } from './facts.ts'

/** Where distributions mount them: a second mount elsewhere is somebody's own affair. */
const MOUNT_ROOT = '/sys/fs/cgroup'

/** `readControllers` gives the content of a v2 hierarchy's cgroup.controllers. */
export function parseHierarchies(
  mountinfo: string,
  readControllers: (mountpoint: string) => string,
): CgroupFacts {
  // By mount point: what was mounted there before is hidden by the last.
  const v1 = new Map<string, CgroupHierarchy>()
  let v2: CgroupHierarchy | undefined
  for (const line of mountinfo.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ')
    const mountpoint = unescapePath(mount.split(' ')[4] ?? '')
    const [type, , options = ''] = filesystem.split(' ')
    if (mountpoint !== MOUNT_ROOT && !mountpoint.startsWith(`${MOUNT_ROOT}/`)) continue
    if (type === 'cgroup2') {
      v2 = { mountpoint, controllers: readControllers(mountpoint).split(/\s+/).filter(Boolean) }
    } else if (type === 'cgroup')
      v1.set(mountpoint, { mountpoint, controllers: findControllers(options) })
  }
  const mode = v2 === undefined ? 'legacy' : v2.mountpoint === MOUNT_ROOT ? 'unified' : 'hybrid'
  return { mode, v1: mode === 'unified' ? [] : [...v1.values()], ...(v2 !== undefined && { v2 }) }
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
