/** What the caller's own user namespace lets it do. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import type { Facts } from './facts.ts'

/** PROC_USER_INIT_INO, linux/proc_ns.h: the inode of the first user namespace. */
const INITIAL_INODE = 0xeffffffdn

export function lookAtUserNamespace(): Facts['userNamespace'] {
  return {
    isInitial: isInitialUserNamespace(),
    setgroups: readSetgroups() === 'deny' ? 'deny' : 'allow',
  }
}

/** Whether the caller is in the machine's own; a kernel without any has no other. */
export function isInitialUserNamespace(): boolean {
  const stats = statSync('/proc/self/ns/user', { bigint: true, throwIfNoEntry: false })
  return stats === undefined || stats.ino === INITIAL_INODE
}

/**
 * Whether the system's service manager takes orders of the caller. Rootless engines run us as root
 * of the user's namespace, where the machine's root, who owns that directory, is somebody else; root
 * of a system container owns it.
 */
export function isRootOfSystemd(): boolean {
  if (process.geteuid?.() !== 0) return false
  return (statSync('/run/systemd', { throwIfNoEntry: false })?.uid ?? 0) === 0
}

function readSetgroups(): string {
  try {
    return readFileSync('/proc/self/setgroups', 'latin1').trim()
  } catch {
    // A kernel without user namespaces.
    return 'allow'
  }
}

/** Where distributions put them; the caller's PATH may be empty. */
const DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin', '/run/wrappers/bin']

/** newuidmap and newgidmap, if both are there. */
export function findIdMapHelpers(): Facts['idMapHelpers'] {
  const [uid, gid] = ['newuidmap', 'newgidmap'].map((name) =>
    DIRECTORIES.map((directory) => `${directory}/${name}`).find(isExecutable),
  )
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
