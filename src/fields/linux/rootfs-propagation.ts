import type { Linux } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { PropagationChange } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'

type Configured = NonNullable<Linux['rootfsPropagation']>

/** Before the rootfs is bound, so that the mounts to come are seen by nobody but who was meant. */
export const rootfsPropagation: Field<Configured> = {
  plan: (_configured, at, planning) => changeHost(at, planning),
  absent: changeHost,
}

/** How the new mount namespace is cut off from the host's, and what `/` propagates in the end. */
interface RootPropagation {
  readonly before: PropagationChange
  readonly privateParent: boolean
  /** For the step that enters the root. */
  readonly afterwards: { readonly propagation?: PropagationChange }
}

export function planPropagation({ spec }: Planning): RootPropagation {
  const configured = spec.linux?.rootfsPropagation
  if (configured === undefined) {
    const before = { propagation: 'slave', recursive: true } as const
    return { before, privateParent: false, afterwards: {} }
  }
  const change = parsePropagation(configured)
  // What is unbindable could not be bound: it becomes so only once it is `/`.
  const before = change.propagation === 'unbindable' ? 'private' : change.propagation
  return {
    // Recursively also for the short names, of which runc changes `/` only: what is mounted below
    // it would stay shared with the host. Not `shared`: volumes keep the peers that they have.
    before: { propagation: before, recursive: before !== 'shared' || change.recursive },
    privateParent: before === 'shared',
    afterwards: { propagation: change },
  }
}

/** The spec has four names, engines also write `rslave`. */
function parsePropagation(name: string): PropagationChange {
  const propagations = ['private', 'slave', 'shared', 'unbindable'] as const
  const propagation = propagations.find((known) => name === known || name === `r${known}`)
  return { propagation: propagation ?? 'slave', recursive: name.startsWith('r') }
}

function changeHost(origin: Pointer, planning: Planning): Contribution {
  const change = planPropagation(planning).before
  return { steps: [{ kind: 'set-propagation', phase: 'rootfs', origin, change }] }
}
