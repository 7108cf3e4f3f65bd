/** `slice:prefix:name` of `linux.cgroupsPath`, and the cgroup that systemd gives such a unit. */
import type { Issue, Pointer } from '../../../errors.ts'

export interface UnitPlace {
  /** `tsrunc-web1.scope` */
  readonly unit: string
  /** `system.slice` */
  readonly slice: string
}

/** What systemd takes as the name of a unit. */
const UNIT = /^[A-Za-z0-9:_.\\-]+$/
const LONGEST_UNIT = 255
const EXPECTED = 'slice:prefix:name, as --systemd-cgroup needs it'

/**
 * Where a container's unit shall be. Without a path it is `tsrunc-ID.scope`; an empty slice is
 * that of the system's services, or of the user's.
 */
export function placeUnit(
  configured: string,
  id: string,
  isUser: boolean,
  at: Pointer,
): UnitPlace | { readonly issue: Issue } {
  const refuse = (expected: string, found = configured) => {
    return { issue: { pointer: at, expected, found: JSON.stringify(found) } }
  }
  const parts = configured === '' ? ['', 'tsrunc', escapeName(id)] : configured.split(':')
  const [slice = '', prefix = '', name = ''] = parts
  if (parts.length !== 3 || name === '') return refuse(EXPECTED)
  const place = {
    unit: `${prefix === '' ? '' : `${prefix}-`}${name}.scope`,
    slice: slice === '' ? (isUser ? 'user.slice' : 'system.slice') : slice,
  }
  if (name.endsWith('.slice')) return refuse('the name of a scope: processes live in no slice')
  if (!UNIT.test(place.unit)) return refuse('a unit of letters, digits and : - _ . \\', place.unit)
  if (place.unit.length > LONGEST_UNIT) {
    return refuse(`a unit's name of at most ${LONGEST_UNIT} characters`, place.unit)
  }
  if (expandSlice(place.slice) === undefined) {
    return refuse('a slice such as machine-web.slice', place.slice)
  }
  return place
}

/** Below each other, as systemd.slice(5) has it: `/a.slice/a-b.slice` for `a-b.slice`. */
export function expandSlice(slice: string): string | undefined {
  if (slice === '-.slice') return ''
  const name = /^([A-Za-z0-9:_.\\-]+)\.slice$/.exec(slice)?.[1]
  const words = name?.split('-')
  if (words === undefined || words.includes('')) return undefined
  return words.map((_, index) => `/${words.slice(0, index + 1).join('-')}.slice`).join('')
}

/** An id may have a plus sign, a unit's name may not: as systemd-escape(1) writes it. */
function escapeName(id: string): string {
  return id.replaceAll('+', '\\x2b')
}
