/** What `create` is given: everything about the container is decided by now. */
import type { Spec } from '../config/spec.ts'
import type { CreateOptions, Facts } from '../host/facts.ts'
import type { Program } from '../lower/assembler.ts'
import type { Lowered } from '../lower/lower.ts'
import type { Plan } from '../plan/plan.ts'
import type { HostStep } from '../plan/steps.ts'
import type { ContainerDirectory } from '../state/store.ts'
import type { Meeting } from './protocol.ts'

/** Where tests may interfere: nothing of it is reachable from the command line. */
export interface FaultPoints {
  readonly beforeHostStep?: (step: HostStep) => void
  readonly program?: (program: Program) => Program
  readonly beforeAnswer?: (meeting: Meeting) => void
}

export interface CreateInput {
  /** The runtime's root directory. */
  readonly rootPath: string
  readonly options: CreateOptions
  readonly spec: Spec
  readonly plan: Plan
  readonly lowered: Lowered
  readonly facts: Facts
  /** Fds from 3 on that the caller left open to us. */
  readonly descriptors: readonly number[]
  readonly pidFile?: string
  readonly pidfdSocket?: string
  readonly warn: (message: string) => void
  /** Called once the id is ours, before the first effect. */
  readonly claimed?: (directory: ContainerDirectory) => void
  readonly faults?: FaultPoints
}
