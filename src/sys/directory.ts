/** Open directories as the place where names are looked up. */
import { constants } from 'node:fs'

/** A name below an open directory, as a path that no rename of its parents can redirect. */
export function pathBelow(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`
}

/** Flags for opening what must be a directory and not a link to one. */
export const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
