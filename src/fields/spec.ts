import type { Spec } from '../config/spec.ts'
import { domainname } from './domainname.ts'
import type { Fields } from './field.ts'
import { hooks } from './hooks.ts'
import { hostname } from './hostname.ts'
import { linux } from './linux.ts'
import { mounts } from './mounts.ts'
import { process } from './process.ts'
import { root } from './root.ts'

/** The whole of config.json; the order within a phase is the order of these tables. */
export const spec: Fields<Spec> = {
  ociVersion: { readBy: 'the checks of config/' },
  annotations: { readBy: 'the state' },
  hooks: { fields: hooks },
  linux: { fields: linux },
  root: { fields: root },
  mounts,
  hostname,
  domainname,
  process: { fields: process },
  vm: { ignored: 'containers of this runtime share the kernel' },
  windows: { ignored: 'it is for Windows' },
  zos: { ignored: 'it is for z/OS' },
  freebsd: { ignored: 'it is for FreeBSD' },
  solaris: { ignored: 'it is for Solaris' },
}
