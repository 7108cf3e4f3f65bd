/** What must be asked of the host before a spec can be planned. */
import type { Seccomp } from '../config/spec.ts'

export interface Questions {
  /** Host paths whose kind decides a step: rootfs, bind sources, hook executables. */
  readonly paths: readonly string[]
  /** Namespace paths to identify. */
  readonly namespaces: readonly string[]
  /** The profile that libseccomp has to compile. */
  readonly seccomp?: Seccomp
}
