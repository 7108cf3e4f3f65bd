/** Rules for /linux, resources and seccomp aside. */
import type { Issue, Pointer } from '../../errors.ts'
import { quote } from '../complaints.ts'
import { joinPointer } from '../pointer.ts'
import type { Spec } from '../spec.ts'
import { needsOf } from '../sysctl.ts'
import { type Check, checkRange, findDuplicates, hasNamespace } from './check.ts'

function checkNamespaces({ linux }: Spec): Issue[] {
  const at = '/linux/namespaces'
  const issues = findDuplicates(linux?.namespaces, at, ({ type }) => type)
  for (const [index, { path }] of (linux?.namespaces ?? []).entries()) {
    // Go writers leave an empty string where they mean a new namespace.
    if (path === undefined || path === '' || path.startsWith('/')) continue
    const pointer = `${at}/${index}/path`
    issues.push({ pointer, expected: 'an absolute path', found: quote(path) })
  }
  return issues
}

/** Without a mount namespace the container's mounts are in none: nothing is shared with them. */
function checkMountNamespace(spec: Spec): Issue[] {
  const propagation = spec.linux?.rootfsPropagation
  if (hasNamespace(spec, 'mount') || propagation?.includes('shared') !== true) return []
  const pointer = '/linux/rootfsPropagation'
  const expected = 'a mount namespace in /linux/namespaces, or another propagation'
  return [{ pointer, expected, found: quote(propagation) }]
}

function checkUserNamespace(spec: Spec): Issue[] {
  const user = spec.linux?.namespaces?.find(({ type }) => type === 'user')
  const isNew = user !== undefined && (user.path ?? '') === ''
  const issues: Issue[] = []
  for (const member of ['uidMappings', 'gidMappings'] as const) {
    const pointer = `/linux/${member}`
    const isMapped = (spec.linux?.[member]?.length ?? 0) > 0
    if (isNew && !isMapped) {
      const expected = 'a mapping for the new user namespace'
      issues.push({ pointer, expected, found: 'nothing' })
    } else if (isMapped && user === undefined) {
      issues.push({ pointer, expected: 'a user namespace in /linux/namespaces, or no mapping' })
    }
  }
  return issues
}

const NANOSECONDS = 1_000_000_000

function checkTimeOffsets(spec: Spec): Issue[] {
  const offsets = spec.linux?.timeOffsets
  if (offsets === undefined) return []
  const at = '/linux/timeOffsets'
  const time = spec.linux?.namespaces?.find(({ type }) => type === 'time')
  const issues = (['monotonic', 'boottime'] as const).flatMap((clock) =>
    checkRange(offsets[clock]?.nanosecs, `${at}/${clock}/nanosecs`, 0, NANOSECONDS - 1),
  )
  // The kernel freezes the offsets of a time namespace when the first process enters it.
  if (time === undefined || (time.path ?? '') !== '') {
    issues.push({ pointer: at, expected: 'a new time namespace in /linux/namespaces, or nothing' })
  }
  return issues
}

/** dev_t of the kernel: 12 bits major, 20 bits minor. */
const MAX_MAJOR = 0xfff
const MAX_MINOR = 0xfffff

/** S_IFMT and its values. */
const TYPE_BITS = 0o170000
const TYPES = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 }

function checkDevices({ linux }: Spec): Issue[] {
  const issues: Issue[] = []
  for (const [index, device] of (linux?.devices ?? []).entries()) {
    const at = `/linux/devices/${index}`
    const { type, path, fileMode = 0 } = device
    if (!path.startsWith('/')) {
      issues.push({ pointer: `${at}/path`, expected: 'an absolute path', found: quote(path) })
    } else if (/\/(?:\.{0,2})$/.test(path)) {
      issues.push({ pointer: `${at}/path`, expected: 'a path with a name', found: quote(path) })
    }
    // Podman copies st_mode whole, with the bits of the type.
    const bits = fileMode & TYPE_BITS
    if ((bits !== 0 && bits !== TYPES[type]) || (fileMode & ~TYPE_BITS) > 0o777) {
      const expected = `permission bits, with or without those of type ${type}`
      issues.push({ pointer: `${at}/fileMode`, expected, found: String(fileMode) })
    }
    if (type !== 'p') {
      checkNumber(device.major, `${at}/major`, MAX_MAJOR, issues)
      checkNumber(device.minor, `${at}/minor`, MAX_MINOR, issues)
    }
  }
  return issues
}

function checkNumber(
  value: number | undefined,
  pointer: Pointer,
  most: number,
  issues: Issue[],
): void {
  if (value !== undefined) issues.push(...checkRange(value, pointer, 0, most))
  else issues.push({ pointer, expected: 'the number of the device', found: 'nothing' })
}

/** dev_valid_name of the kernel, and IFNAMSIZ with its NUL. */
const INTERFACE = /^(?!\.{1,2}$)[^\s/:]{1,15}$/

function checkNetDevices(spec: Spec): Issue[] {
  const at = '/linux/netDevices'
  const devices = Object.entries(spec.linux?.netDevices ?? {})
  const issues: Issue[] = []
  for (const [host, { name }] of devices) {
    const pointer = joinPointer(at, host)
    const expected = 'the name of a network device'
    if (!INTERFACE.test(host)) issues.push({ pointer, expected, found: quote(host) })
    if (name !== undefined && name !== '' && !INTERFACE.test(name)) {
      issues.push({ pointer: `${pointer}/name`, expected, found: quote(name) })
    }
  }
  if (devices.length > 0 && !hasNamespace(spec, 'network')) {
    issues.push({ pointer: at, expected: 'a network namespace in /linux/namespaces, or nothing' })
  }
  return issues
}

function checkSysctls(spec: Spec): Issue[] {
  return Object.keys(spec.linux?.sysctl ?? {}).flatMap((name) => {
    const pointer = joinPointer('/linux/sysctl', name)
    const needs = needsOf(name)
    if ('refused' in needs) return [{ pointer, expected: needs.refused, found: quote(name) }]
    if (hasNamespace(spec, needs.namespace)) return []
    return [{ pointer, expected: `a namespace of type ${needs.namespace} in /linux/namespaces` }]
  })
}

/** The group's name is a directory below /sys/fs/resctrl. */
function checkIntelRdt({ linux }: Spec): Issue[] {
  const id = linux?.intelRdt?.closID
  if (id === undefined || !(id === '.' || id === '..' || /[/\n]/.test(id))) return []
  return [{ pointer: '/linux/intelRdt/closID', expected: 'a file name', found: quote(id) }]
}

export const linuxChecks: readonly Check[] = [
  { name: 'namespaces', reads: ['/linux/namespaces'], run: checkNamespaces },
  {
    name: 'mount namespace',
    reads: ['/linux/namespaces', '/linux/rootfsPropagation'],
    run: checkMountNamespace,
  },
  {
    name: 'user namespace',
    reads: ['/linux/namespaces', '/linux/uidMappings', '/linux/gidMappings'],
    run: checkUserNamespace,
  },
  {
    name: 'time offsets',
    reads: ['/linux/namespaces', '/linux/timeOffsets'],
    run: checkTimeOffsets,
  },
  { name: 'devices', reads: ['/linux/devices'], run: checkDevices },
  {
    name: 'network devices',
    reads: ['/linux/namespaces', '/linux/netDevices'],
    run: checkNetDevices,
  },
  { name: 'sysctls', reads: ['/linux/namespaces', '/linux/sysctl'], run: checkSysctls },
  { name: 'resctrl group', reads: ['/linux/intelRdt'], run: checkIntelRdt },
]
