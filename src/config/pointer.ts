import type { Pointer } from '../errors.ts'

/** Appends one member name or index to a JSON pointer (RFC 6901). */
export function joinPointer(parent: Pointer, member: string | number): Pointer {
  return typeof member === 'number'
    ? `${parent}/${member}`
    : `${parent}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function splitPointer(pointer: Pointer): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Whether one of the two lies at or below the other. */
export function overlaps(a: Pointer, b: Pointer): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
}

export function toPointer(path: readonly (string | number)[]): Pointer {
  return path.reduce<Pointer>(joinPointer, '')
}
