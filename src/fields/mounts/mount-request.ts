import type { Mount } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { MountWishes } from './options.ts'

/** One entry of `mounts`, as its planners see it. */
export interface MountRequest {
  readonly mount: Mount
  readonly at: Pointer
  /** Clean, absolute. */
  readonly destination: string
  readonly wishes: MountWishes
}
