/**
 * What a list of device rules means, in the words of the v1 devices controller: a default, and
 * exceptions from it. v1 holds exactly that; for v2 it is compiled to an eBPF program.
 */
import type { DeviceRule } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'

/** Bits of an access, as in struct bpf_cgroup_dev_ctx. */
export const ACCESS = { m: 1, r: 2, w: 4 } as const
export const FULL_ACCESS = 7

/** Any major or minor number. */
export const ANY = -1

export interface DeviceException {
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
  /** What is excepted from the default; ACCESS bits, never 0. */
  readonly access: number
}

export interface DevicePolicy {
  readonly allowByDefault: boolean
  /** In the order of the rules (runtime-spec), at most one for each type, major and minor. */
  readonly exceptions: readonly DeviceException[]
}

/**
 * The rules in turn, then the devices that every container may use. A rule for all types resets
 * what came before it, any other adds an exception to the default or takes one back.
 */
export function resolveDeviceRules(
  rules: readonly DeviceRule[],
  at: Pointer,
): { readonly policy: DevicePolicy; readonly issues: readonly Issue[] } {
  const exceptions = new Map<string, DeviceException>()
  const issues: Issue[] = []
  let allowByDefault = false
  for (const [index, rule] of [...rules, ...DEFAULT_RULES].entries()) {
    const pointer = index < rules.length ? `${at}/${index}` : at
    const type = rule.type ?? 'a'
    if (type === 'a') {
      allowByDefault = rule.allow
      exceptions.clear()
      continue
    }
    const { major = ANY, minor = ANY, access = 'rwm' } = rule
    const exception = { type, major, minor, access: parseAccess(access) }
    // Rules that say nothing are refused by runc; here they do nothing.
    if (exception.access === 0) continue
    if (rule.allow !== allowByDefault) addException(exceptions, exception)
    else issues.push(...removeException(exceptions, exception, pointer))
  }
  return { policy: { allowByDefault, exceptions: [...exceptions.values()] }, issues }
}

const allow = (major: number, minor = ANY): DeviceRule => {
  return { allow: true, type: 'c', major, minor, access: 'rwm' }
}

/** runc's. A node that mknod makes for any other device cannot be opened. */
const DEFAULT_RULES: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  allow(1, 3), // null
  allow(1, 5), // zero
  allow(1, 7), // full
  allow(1, 8), // random
  allow(1, 9), // urandom
  allow(5, 0), // tty
  allow(5, 1), // console
  allow(5, 2), // ptmx
  allow(136), // pts
]

/** The letters are checked by then. */
function parseAccess(access: string): number {
  return LETTERS.reduce((bits, letter) => bits | (access.includes(letter) ? ACCESS[letter] : 0), 0)
}

const LETTERS = ['r', 'w', 'm'] as const

function formatAccess(access: number): string {
  return LETTERS.filter((letter) => access & ACCESS[letter]).join('')
}

function keyOf({ type, major, minor }: DeviceException): string {
  return `${type} ${major}:${minor}`
}

function addException(exceptions: Map<string, DeviceException>, added: DeviceException): void {
  const before = exceptions.get(keyOf(added))?.access ?? 0
  exceptions.set(keyOf(added), { ...added, access: before | added.access })
}

/**
 * A hole in a wider exception is refused, as in runc: the v1 controller would take the rule and
 * ignore it, and the user would believe in a limit that is not there.
 */
function removeException(
  exceptions: Map<string, DeviceException>,
  removed: DeviceException,
  pointer: Pointer,
): Issue[] {
  const wider = [
    { ...removed, major: ANY },
    { ...removed, minor: ANY },
    { ...removed, major: ANY, minor: ANY },
  ]
  for (const candidate of wider) {
    const found = exceptions.get(keyOf(candidate))
    if (found === undefined || keyOf(candidate) === keyOf(removed)) continue
    if ((found.access & removed.access) === 0) continue
    const expected = 'no rule that takes a part out of an earlier one for more devices'
    return [{ pointer, expected, found: `${formatRule(removed)} after ${formatRule(found)}` }]
  }
  const before = exceptions.get(keyOf(removed))
  if (before === undefined) return []
  const access = before.access & ~removed.access
  if (access === 0) exceptions.delete(keyOf(removed))
  else exceptions.set(keyOf(removed), { ...removed, access })
  return []
}

/** `c 1:3 rwm`, as the v1 controller reads and prints it. */
export function formatRule({ type, major, minor, access }: DeviceException): string {
  const number = (value: number) => (value === ANY ? '*' : `${value}`)
  return `${type} ${number(major)}:${number(minor)} ${formatAccess(access)}`
}
