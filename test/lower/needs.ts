/** What tests on the real kernel need, and why they cannot run. */
import { spawnSync } from 'node:child_process'
import { lstatSync } from 'node:fs'

/** Why no namespaces can be made here; undefined if they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  const { status } = spawnSync('unshare', ['-m', '-p', '-f', '-n', 'true'])
  return status === 0 ? undefined : 'this root may not make namespaces'
}

/** Hosts without merged /usr have some of its directories apart. */
export function existsOnHost(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
