/** Open directories as the place where names are looked up. */
import { constants } from 'node:fs'

/** A name below an open directory, as a path that no rename of its parents can redirect. */
export function pathBelow(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`
}

/** An fd that only stands for a file. Not among Node's constants; the same on x86-64 and arm64. */
export const O_PATH = 0o10000000

/** Flags for opening what must be a directory and not a link to one. */
export const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
