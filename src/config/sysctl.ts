/** Which kernel parameters belong to a namespace; all others are the host's and are refused. */
import type { NamespaceType } from './spec.ts'

const IPC_NAMES = new Set(
  ['msgmax', 'msgmnb', 'msgmni', 'sem', 'shmall', 'shmmax', 'shmmni', 'shm_rmid_forced'].map(
    (name) => `kernel/${name}`,
  ),
)

/**
 * The file below /proc/sys. As sysctl(8) reads names: the first separator decides, and in the
 * dotted form a slash stands for a dot (`net.ipv4.conf.eth0/100.forwarding`).
 */
export function toSysctlPath(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== '.') return name
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

/** What a parameter needs in the container: a namespace, or it is refused. */
export function needsOf(
  name: string,
): { readonly namespace: NamespaceType } | { readonly refused: string } {
  const path = toSysctlPath(name)
  // A name is a path for the runtime, which runs as the host's root: none may climb.
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return { refused: 'the name of a kernel parameter' }
  }
  if (path.startsWith('net/')) return { namespace: 'network' }
  if (path.startsWith('user/')) return { namespace: 'user' }
  if (path.startsWith('fs/mqueue/') || IPC_NAMES.has(path)) return { namespace: 'ipc' }
  if (path === 'kernel/domainname') return { namespace: 'uts' }
  if (path === 'kernel/hostname') return { refused: '/hostname instead of this parameter' }
  return { refused: 'a kernel parameter that a namespace has for itself' }
}
