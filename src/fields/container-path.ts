/** Paths inside the container, as strings: only compared, never resolved. */
import { posix } from 'node:path'

/** `/dev/../a//b/` → `/a/b`; a relative path is taken from the root. */
export function cleanPath(path: string): string {
  return posix.resolve('/', path)
}

/** Both clean; a path is not below itself. */
export function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory === '/' ? '/' : `${directory}/`)
}
