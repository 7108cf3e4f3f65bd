/** `org.systemd.property.NAME`: further properties of the container's unit, as GVariant text. */
import { joinPointer } from '../../../config/pointer.ts'
import type { Issue } from '../../../errors.ts'
import type { TypedValue, UnitProperty } from '../../../plan/unit-property.ts'
import { parseGvariant } from './gvariant.ts'

const PREFIX = 'org.systemd.property.'
/** runc's rule; letters alone can name no other bus object or method. */
const NAME = /^[A-Za-z]{3,}$/
/** They would put processes of others into the container's unit, and `delete` kills who is there. */
const REFUSED: readonly string[] = ['PIDs', 'PIDFDs']

export interface ReadProperties {
  readonly properties: readonly UnitProperty[]
  readonly issues: readonly Issue[]
}

export function readPropertyAnnotations(
  annotations: Readonly<Record<string, string>>,
): ReadProperties {
  const properties: UnitProperty[] = []
  const issues: Issue[] = []
  for (const [key, text] of Object.entries(annotations)) {
    if (!key.startsWith(PREFIX)) continue
    const origin = joinPointer('/annotations', key)
    const name = key.slice(PREFIX.length)
    const found = JSON.stringify(name)
    if (!NAME.test(name)) {
      issues.push({ pointer: origin, expected: 'a property of three letters or more', found })
    } else if (REFUSED.includes(name)) {
      issues.push({ pointer: origin, expected: 'a property other than that', found })
    } else {
      try {
        properties.push({ ...inMicroseconds(name, parseGvariant(text)), origin })
      } catch (error) {
        const expected = `a value in GVariant text (${error instanceof Error ? error.message : ''})`
        issues.push({ pointer: origin, expected, found: JSON.stringify(text) })
      }
    }
  }
  return { properties, issues }
}

const MICROSECONDS = 1_000_000

/** As in unit files a time may be given in seconds: `TimeoutStopSec` is `TimeoutStopUSec`. */
function inMicroseconds(name: string, typed: TypedValue): TypedValue & { readonly name: string } {
  const base = /^(.*[a-z])Sec$/.exec(name)?.[1]
  const { value } = typed
  if (base === undefined) return { name, ...typed }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw new Error('expected a number of seconds')
  }
  const time =
    typeof value === 'bigint'
      ? value * BigInt(MICROSECONDS)
      : BigInt(Math.round(value * MICROSECONDS))
  if (time < 0n) throw new Error('expected a time that is not negative')
  return { name: `${base}USec`, signature: 't', value: time }
}
