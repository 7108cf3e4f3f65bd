/**
 * Who asks. A worker does for the front what Node would do in the front's place, so it must not be
 * able to do anything that Node could not: no other namespaces, root directory, ids, capabilities,
 * filters or labels.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { callKernel } from '../sys/ffi.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const CREDENTIALS_SIZE = 12

const NAMESPACES = 'cgroup ipc mnt net pid pid_for_children time time_for_children user uts'.split(
  ' ',
)

/** Lines of /proc/PID/status, proc_pid_status(5). */
const COMPARED = /^(Uid|Gid|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):.*$/gm

/** `getsockopt(fd, SOL_SOCKET, SO_PEERCRED)`, unix(7): the pid of who connected. */
export function findPeer(connection: number): number {
  const credentials = Buffer.alloc(CREDENTIALS_SIZE)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(CREDENTIALS_SIZE)
  const args = [connection, SOL_SOCKET, SO_PEERCRED, credentials, size]
  callKernel('getsockopt', args, `getsockopt(${connection}, SO_PEERCRED)`)
  return credentials.readInt32LE(0)
}

/** What two processes must have in common, as text to compare; undefined where one is gone. */
export function describeStanding(pid: number | 'self'): string | undefined {
  const directory = `/proc/${pid}`
  try {
    const namespaces = NAMESPACES.map((name) => readLinkIfThere(`${directory}/ns/${name}`))
    const root = statSync(`${directory}/root/`, { bigint: true })
    const status = readFileSync(`${directory}/status`, 'latin1').match(COMPARED) ?? []
    const label = readIfThere(`${directory}/attr/current`)
    return [...namespaces, root.dev, root.ino, ...status, label].join('\n')
  } catch {
    return undefined
  }
}

/** umask(2) of a process. */
export function readUmask(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
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
