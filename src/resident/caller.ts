/**
 * Who asks. A worker does for the front what Node would do in the front's place, so it must not be
 * able to do anything that Node could not: no other namespaces, root directory, ids, capabilities,
 * filters or labels.
 */
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { O_PATH, OPEN_DIRECTORY } from '../sys/directory.ts'
import { findPeer } from '../sys/socket.ts'

const NAMESPACES = 'cgroup ipc mnt net pid pid_for_children time time_for_children user uts'.split(
  ' ',
)

/** Lines of /proc/PID/status, proc_pid_status(5). */
const COMPARED = /^(Uid|Gid|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp|Seccomp_filters):.*$/gm

/** Of a profile of AppArmor that confines nothing: Ubuntu has one for podman, to give it a name. */
const NAME_ALONE = /^[^:&]+ \(unconfined\)/

/**
 * The directory in /proc of the process that connected: nothing is read there of one that has its pid
 * after it. That it is not one already, its fd `held` shows: of the pipe that `life` is an end of.
 * Throws where it is.
 */
export function openCaller(connection: number, held: number, life: number): string {
  const caller = `/proc/self/fd/${openSync(`/proc/${findPeer(connection)}`, OPEN_DIRECTORY)}`
  const [theirs, ours] = [`${caller}/fd/${held}`, `/proc/self/fd/${life}`].map((path) =>
    readlinkSync(path),
  )
  if (theirs !== ours) throw new Error('who connected is not who asks')
  return caller
}

/**
 * Of a process, which is its directory in /proc: what another must have in common with it, as text to
 * compare, and its umask(2).
 */
export function readStanding(caller: string): { standing: string; umask: number } {
  const namespaces = NAMESPACES.map((name) => ifThere(() => readlinkSync(`${caller}/ns/${name}`)))
  const status = readFileSync(`${caller}/status`, 'latin1')
  const label = ifThere(() => readFileSync(`${caller}/attr/current`, 'latin1'))
  const standing = [
    ...namespaces,
    describeRoot(caller),
    ...(status.match(COMPARED) ?? []),
    label.replace(NAME_ALONE, 'unconfined'),
  ]
  const umask = /^Umask:\s*([0-7]+)$/m.exec(status)?.[1] ?? '022'
  return { standing: standing.join('\n'), umask: Number.parseInt(umask, 8) }
}

/** Not its inode alone: a bind mount of the same directory may be read-only. */
function describeRoot(caller: string): string {
  const root = openSync(`${caller}/root`, O_PATH)
  try {
    const { dev, ino } = fstatSync(root, { bigint: true })
    const mount = readFileSync(`/proc/self/fdinfo/${root}`, 'latin1')
    return [dev, ino, mount].join(' ')
  } finally {
    closeSync(root)
  }
}

/** A kernel may have been built without a kind of namespaces, or have no security module. */
function ifThere(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
