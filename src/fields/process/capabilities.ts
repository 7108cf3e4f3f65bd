import { CAPABILITIES } from '../../config/capabilities.ts'
import type { Capabilities } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { Phase } from '../../plan/phases.ts'
import type { SetCapabilities } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { capabilitiesOf } from '../linux/user-namespace.ts'

/** A process without the field has no capabilities at all, as runc has it. */
export const capabilities: Field<Capabilities> = {
  plan: planCapabilities,
  absent: (at, planning) => planCapabilities({}, at, planning),
}

/** Whether a capset follows the seccomp filter, which then must allow it. */
export function needsFinalCapset(planning: Planning): boolean {
  const sets = grant(planning.spec.process?.capabilities ?? {}, '', planning)
  return isHeldUntilFilter(planning) && (sets.effective & SYS_ADMIN) === 0n
}

const SYS_ADMIN = 1n << BigInt(CAPABILITIES.indexOf('CAP_SYS_ADMIN'))

/** Without no_new_privs the kernel loads a filter only for who has CAP_SYS_ADMIN. */
function isHeldUntilFilter({ spec }: Planning): boolean {
  return spec.linux?.seccomp !== undefined && spec.process?.noNewPrivileges !== true
}

function planCapabilities(
  configured: Capabilities,
  origin: Pointer,
  planning: Planning,
): Contribution {
  const { warnings, ambient, bounding, ...sets } = grant(configured, origin, planning)
  const final: SetCapabilities = {
    kind: 'set-capabilities',
    phase: 'final-capabilities',
    origin,
    ...sets,
  }
  const drop = numbersIn(capabilitiesOf(planning).bounding & ~bounding)
  const phase: Phase = 'capabilities'
  const first = needsFinalCapset(planning)
    ? { effective: sets.effective | SYS_ADMIN, permitted: sets.permitted | SYS_ADMIN }
    : {}
  return {
    warnings,
    steps: [
      { kind: 'limit-bounding-set', phase: 'bounding-set', origin, drop },
      { ...final, phase, ...first, ambient: numbersIn(ambient) },
      ...(needsFinalCapset(planning) ? [final] : []),
    ],
  }
}

interface Granted {
  readonly bounding: bigint
  readonly effective: bigint
  readonly permitted: bigint
  readonly inheritable: bigint
  readonly ambient: bigint
  readonly warnings: readonly string[]
}

/** What cannot be granted is left out with a warning, as the spec asks; never an error. */
function grant(configured: Capabilities, at: Pointer, planning: Planning): Granted {
  const { facts } = planning
  const own = capabilitiesOf(planning)
  const warnings: string[] = []
  const take = (set: keyof Capabilities, allowed: bigint, reason: string): bigint => {
    const known = parseSet(configured[set] ?? [], `${at}/${set}`, facts.lastCapability, warnings)
    warnOfRest(known & ~allowed, `${at}/${set}`, reason, warnings)
    return known & allowed
  }
  const bounding = take('bounding', own.bounding, 'the caller does not have it')
  const permitted = take('permitted', own.permitted, 'the caller does not have it')
  const effective = take('effective', permitted, 'it is not permitted')
  // The bounding set is the kernel's limit for what capset(2) may add to inheritable.
  const inheritable = take('inheritable', bounding, 'it is not in the bounding set')
  const ambient = take('ambient', permitted & inheritable, 'it is not permitted and inheritable')
  return { bounding, permitted, effective, inheritable, ambient, warnings }
}

function parseSet(names: readonly string[], at: Pointer, last: number, warnings: string[]): bigint {
  let set = 0n
  for (const [index, name] of names.entries()) {
    const number = CAPABILITIES.indexOf(name)
    // config/ has warned of a name that nobody knows.
    if (number < 0) continue
    if (number > last) warnings.push(`${at}/${index}: ${name} is left out: new to this kernel`)
    else set |= 1n << BigInt(number)
  }
  return set
}

function warnOfRest(rest: bigint, at: Pointer, reason: string, warnings: string[]): void {
  if (rest === 0n) return
  const names = numbersIn(rest).map((number) => CAPABILITIES[number] ?? `${number}`)
  warnings.push(`${at}: ${names.join(', ')} left out: ${reason}`)
}

function numbersIn(set: bigint): readonly number[] {
  const numbers: number[] = []
  for (let number = 0; number < 64; number++) {
    if ((set >> BigInt(number)) & 1n) numbers.push(number)
  }
  return numbers
}
