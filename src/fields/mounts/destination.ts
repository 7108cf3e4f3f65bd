import type { Issue } from '../../errors.ts'
import { isBind } from '../../host/questions.ts'
import { isBelow } from '../container-path.ts'
import type { MountRequest } from './mount-request.ts'

/** What lxcfs and checkpoint tools put over files of procfs; nothing else may lie there. */
const ALLOWED_BELOW_PROC: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
])

/** A fake /proc would receive what is written through it, labels too (CVE-2019-16884). */
export function checkDestination({ destination, mount, at }: MountRequest): Issue[] {
  const pointer = `${at}/destination`
  if (destination === '/') {
    return [{ pointer, expected: 'a path below /', found: JSON.stringify(mount.destination) }]
  }
  if (isBelow(destination, '/proc') && !ALLOWED_BELOW_PROC.has(destination)) {
    const expected = 'a path outside /proc, or one of the files that may be mounted over'
    return [{ pointer, expected, found: destination }]
  }
  if (destination === '/proc' && !isRealProc(mount)) {
    return [{ pointer: at, expected: 'type proc, or a bind mount of /proc, for /proc' }]
  }
  return []
}

function isRealProc(mount: MountRequest['mount']): boolean {
  return isBind(mount) ? mount.source === '/proc' : mount.type === 'proc'
}
