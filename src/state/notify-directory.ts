/** Where the container's own socket for sd_notify(3) is: a directory that is mounted into it. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathBelow } from '../sys/directory.ts'

/** Below the container's directory. */
export const NOTIFY_DIRECTORY = 'notify'
export const NOTIFY_SOCKET = `${NOTIFY_DIRECTORY}/notify.sock`

interface Opened {
  readonly fd: number
}

export function makeNotifyDirectory(container: Opened): void {
  const path = pathBelow(container.fd, NOTIFY_DIRECTORY)
  mkdirSync(path)
  // Whatever the umask: the container's user shall get in.
  chmodSync(path, 0o755)
}

/** Whether the container was made with one. */
export function hasNotifyDirectory(container: Opened): boolean {
  return existsSync(pathBelow(container.fd, NOTIFY_DIRECTORY))
}

export function notifySocketPath(container: Opened): string {
  return pathBelow(container.fd, NOTIFY_SOCKET)
}

/** The path that a mount has to name. */
export function notifyDirectoryPath(rootPath: string, id: string): string {
  return resolve(rootPath, id, NOTIFY_DIRECTORY)
}
