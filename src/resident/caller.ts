/**
 * Who asks. A worker does for the front what Node would do in the front's place, so it must not be
 * able to do anything that Node could not: no other namespaces, root directory, ids, capabilities,
 * filters or labels.
 */
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { OPEN_DIRECTORY } from '../sys/directory.ts'
import { callKernel } from '../sys/ffi.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const CREDENTIALS_SIZE = 12
/** Of linux/fcntl.h; Node does not have it. */
const O_PATH = 0o10000000

const NAMESPACES = 'cgroup ipc mnt net pid pid_for_children time time_for_children user uts'.split(
  ' ',
)

/** Lines of /proc/PID/status, proc_pid_status(5). */
const COMPARED = /^(Uid|Gid|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp|Seccomp_filters):.*$/gm

/** Of a profile of AppArmor that confines nothing: Ubuntu has one for podman, to give it a name. */
const NAME_ALONE = /^[^:&]+ \(unconfined\)/

/** `getsockopt(fd, SOL_SOCKET, SO_PEERCRED)`, unix(7): the pid of who connected. */
function findPeer(connection: number): number {
  const credentials = Buffer.alloc(CREDENTIALS_SIZE)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(CREDENTIALS_SIZE)
  const args = [connection, SOL_SOCKET, SO_PEERCRED, credentials, size]
  callKernel('getsockopt', args, `getsockopt(${connection}, SO_PEERCRED)`)
  return credentials.readInt32LE(0)
}

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

/** What two processes must have in common, as text to compare; a process is its directory in /proc. */
export function describeStanding(caller: string): string {
  const namespaces = NAMESPACES.map((name) => readLinkIfThere(`${caller}/ns/${name}`))
  const status = readFileSync(`${caller}/status`, 'latin1').match(COMPARED) ?? []
  const label = readIfThere(`${caller}/attr/current`).replace(NAME_ALONE, 'unconfined')
  return [...namespaces, describeRoot(caller), ...status, label].join('\n')
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

/** umask(2) of a process. */
export function readUmask(caller: string): number {
  const status = readFileSync(`${caller}/status`, 'latin1')
  return Number.parseInt(/^Umask:\s*([0-7]+)$/m.exec(status)?.[1] ?? '022', 8)
}

/** A kernel may have been built without one. */
function readLinkIfThere(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Without a security module the file cannot be read. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
