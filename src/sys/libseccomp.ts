/** Seccomp profiles to classic BPF, by libseccomp, which knows every architecture's numbers. */
import type {
  Seccomp,
  SeccompAction,
  SeccompArchitecture,
  SeccompArgument,
  SeccompRule,
} from '../config/spec.ts'
import { type Pointer, StepError } from '../errors.ts'
import type { SeccompFacts } from '../host/facts.ts'
import { VERSION } from '../version.ts'
import { ERRNO, errnoName } from './errno.ts'
import { bindLibseccomp, type Filter, type Libseccomp } from './libseccomp-binding.ts'
import { readCachedFilter, writeCachedFilter } from './seccomp-cache.ts'
import { type NewestCall, prependEnosys } from './seccomp-enosys.ts'

export interface CompileOptions {
  /** An fd of a directory of our own; without one every call compiles. */
  readonly cacheDirectory?: number
}

const AT: Pointer = '/linux/seccomp'

export function compileSeccomp(profile: Seccomp, options: CompileOptions = {}): SeccompFacts {
  const library = bindLibseccomp()
  const directory = options.cacheDirectory
  if (directory === undefined) return compileWith(library, profile)
  const key = keyOf(profile, library.version)
  const cached = readCachedFilter(directory, key)
  if (cached !== undefined) return cached
  const compiled = compileWith(library, profile)
  writeCachedFilter(directory, key, compiled)
  return compiled
}

/** All that the filter depends on; the listener's members do not matter to it. */
function keyOf(profile: Seccomp, libraryVersion: string): string {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = profile
  const compiled = { defaultAction, defaultErrnoRet, architectures, syscalls }
  return JSON.stringify([VERSION, process.arch, libraryVersion, compiled], (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
}

function compileWith(library: Libseccomp, profile: Seccomp): SeccompFacts {
  const defaultAction = encodeAction(profile.defaultAction, profile.defaultErrnoRet)
  const filter = library.openFilter(defaultAction)
  if (filter === undefined) {
    throw failure('defaultAction', `seccomp_init(${profile.defaultAction})`, -ERRNO.EINVAL)
  }
  try {
    addArchitectures(library, filter, profile)
    const names = profile.syscalls?.reduce((sum, rule) => sum + rule.names.length, 0) ?? 0
    // A binary tree instead of a list takes half as long again to compile, which is cached, but
    // the kernel, which runs each filter for every system call when it is loaded, takes a quarter
    // of the time (0.25 ms instead of 1.05 ms for Docker's profile), which every start pays.
    // libseccomp up to 2.5.4 makes wrong trees of no rules at all; runc's threshold.
    if (names > 32) filter.optimize(2)
    const unknown = new Set<string>()
    profile.syscalls?.forEach((rule, index) => {
      addRule(library, filter, rule, index, defaultAction, unknown)
    })
    const newest = isPermissive(profile) ? [] : findNewest(library, profile)
    return {
      filter: Buffer.from(prependEnosys(filter.exportProgram(), newest)).toString('base64'),
      unknownSyscalls: [...unknown],
    }
  } finally {
    filter.release()
  }
}

/** A tracer answers for new calls itself, as in runc. */
function isPermissive({ defaultAction, defaultErrnoRet }: Seccomp): boolean {
  if (['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(defaultAction)) return true
  return defaultAction === 'SCMP_ACT_ERRNO' && defaultErrnoRet === ERRNO.ENOSYS
}

/** Of each architecture of the filter, the native one first. */
function findNewest(library: Libseccomp, profile: Seccomp): NewestCall[] {
  const configured = (profile.architectures ?? []).flatMap((name) => {
    const token = library.resolveArchitecture(nameArchitecture(name))
    return token === undefined ? [] : [token]
  })
  const tokens = new Set([library.nativeArchitecture(), ...configured])
  const names = new Set(profile.syscalls?.flatMap(({ names }) => names))
  const newestOf = (token: number) =>
    Math.max(-1, ...[...names].map((name) => library.resolveSyscallOf(token, name)))
  return [...tokens].flatMap((architecture) => {
    const number = architecture === X32 ? -1 : newestOf(architecture)
    if (number < 0) return []
    const x32 = architecture === X86_64 && tokens.has(X32) ? newestOf(X32) : -1
    return [{ architecture, number, ...(x32 >= 0 && { x32 }) }]
  })
}

/** SCMP_ARCH_*: AUDIT_ARCH_* but for x32, which the kernel does not tell from x86-64 there. */
const X86_64 = 0xc000_003e
const X32 = 0x4000_003e

/** As libseccomp spells it. */
function nameArchitecture(name: SeccompArchitecture): string {
  return name.slice('SCMP_ARCH_'.length).toLowerCase()
}

/** The native one is there from the beginning. */
function addArchitectures(library: Libseccomp, filter: Filter, profile: Seccomp): void {
  profile.architectures?.forEach((name, index) => {
    const token = library.resolveArchitecture(nameArchitecture(name))
    const result = token === undefined ? -ERRNO.EINVAL : filter.addArchitecture(token)
    if (result < 0 && result !== -ERRNO.EEXIST) {
      throw failure(`architectures/${index}`, `seccomp_arch_add(${name})`, result)
    }
  })
}

function addRule(
  library: Libseccomp,
  filter: Filter,
  rule: SeccompRule,
  index: number,
  defaultAction: number,
  unknown: Set<string>,
): void {
  const action = encodeAction(rule.action, rule.errnoRet)
  // libseccomp refuses what says nothing new.
  if (action === defaultAction) return
  const conditions = splitConditions(rule.args ?? [])
  for (const name of rule.names) {
    const number = library.resolveSyscall(name)
    if (number === undefined) {
      unknown.add(name)
      continue
    }
    for (const condition of conditions) {
      const result = filter.addRule(action, number, condition)
      if (result < 0) {
        const call = `seccomp_rule_add(${rule.action}, ${name})`
        throw failure(`syscalls/${index}`, call, result)
      }
    }
  }
}

/**
 * All conditions of a rule hold together, but libseccomp takes one for each argument: with two
 * for the same one runc makes each a rule of its own, so that any of them is enough.
 */
function splitConditions(
  args: readonly SeccompArgument[],
): readonly (readonly SeccompArgument[])[] {
  const indexes = new Set(args.map(({ index }) => index))
  return indexes.size === args.length ? [args] : args.map((arg) => [arg])
}

/** The kernel's verdict: the action above, 16 bits of data below. */
function encodeAction(action: SeccompAction, errno: number = ERRNO.EPERM): number {
  const hasData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
  return (ACTION[action] | (hasData ? errno & 0xffff : 0)) >>> 0
}

const ACTION: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
}

function failure(field: string, call: string, result: number): StepError {
  return new StepError(`${AT}/${field}`, `${call}: ${errnoName(-result)}`)
}
