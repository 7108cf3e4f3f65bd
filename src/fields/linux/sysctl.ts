import type { Issue, Pointer } from '../../errors.ts'
import type { NamespaceType, SetSysctl } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { hasOwnNamespace } from './namespaces.ts'

type Sysctls = Readonly<Record<string, string>>

export const sysctl: Field<Sysctls> = { plan: planSysctl }

function planSysctl(configured: Sysctls, at: Pointer, planning: Planning): Contribution {
  const issues: Issue[] = []
  const steps: SetSysctl[] = []
  for (const [key, value] of Object.entries(configured)) {
    // RFC 6901: keys may hold slashes.
    const origin = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const path = toPath(key)
    const expected = checkSysctl(path, planning)
    if (expected === undefined) {
      steps.push({ kind: 'set-sysctl', phase: 'sysctl', origin, path, value })
    } else issues.push({ pointer: origin, expected, found: JSON.stringify(key) })
  }
  return { steps, issues }
}

/**
 * Either separator may be used, the first one tells which; the other then is part of a name:
 * `net.ipv4.conf.eth0/100.forwarding` is about the interface `eth0.100`.
 */
function toPath(key: string): string {
  const first = key.search(/[./]/)
  if (first < 0 || key[first] === '/') return key
  return key.replaceAll(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

const OF_IPC =
  /^(kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\/mqueue\/.+)$/

/** A sysctl that is not in a namespace of the container would change the host. */
function checkSysctl(path: string, planning: Planning): string | undefined {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return 'the name of a sysctl, e.g. net.ipv4.ip_forward'
  }
  if (path === 'kernel/hostname') return 'the field /hostname for this name'
  const namespace = namespaceOf(path)
  if (namespace === undefined) return 'a sysctl that belongs to a namespace, not to the whole host'
  if (hasOwnNamespace(namespace, planning)) return undefined
  return `a ${namespace} namespace of its own in /linux/namespaces for this sysctl`
}

function namespaceOf(path: string): NamespaceType | undefined {
  if (path.startsWith('net/')) return 'network'
  if (OF_IPC.test(path)) return 'ipc'
  if (path === 'kernel/domainname') return 'uts'
  return path.startsWith('user/') ? 'user' : undefined
}
