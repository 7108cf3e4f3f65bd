/** Containers in a user namespace of their own. */
import { chmodSync, chownSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from './config.ts'
import type { Bundle } from './rig.ts'

/** Beyond all ids that are somebody's here. */
export const FIRST = 200_000_000

function map(size = 65_536) {
  return [{ containerID: 0, hostID: FIRST, size }]
}

/** The container's root owns its tree, and can reach it. */
export function addUserNamespace(config: Config, bundle: Bundle): void {
  config.linux.namespaces.push({ type: 'user' })
  config.linux.uidMappings = map()
  config.linux.gidMappings = map()
  chmodSync(dirname(bundle.directory), 0o711)
  for (const name of ['', 'proc', 'sys', 'dev', 'tmp', 'etc']) {
    chownSync(join(bundle.rootfs, name), FIRST, FIRST)
  }
}
