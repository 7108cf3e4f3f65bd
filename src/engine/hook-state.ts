import type { RunHook } from '../plan/steps.ts'
import type { ContainerRecord } from '../state/record.ts'

/** What a hook is told of its container. */
export interface HookContainer {
  readonly id: string
  readonly ociVersion: string
  readonly bundle: string
  readonly annotations: Readonly<Record<string, string>>
  /** As seen from the runtime; absent once the container is stopped. */
  readonly pid?: number
}

export function toHookContainer(record: ContainerRecord): HookContainer {
  const { id, ociVersion, bundle, annotations, pid } = record
  return { id, ociVersion, bundle, annotations, pid }
}

/** The state of runtime-spec, runtime.md#state. */
export function describeHookState(container: HookContainer, status: RunHook['status']) {
  const { ociVersion, id, pid, bundle, annotations } = container
  return { ociVersion, id, status, ...(pid && { pid }), bundle, annotations }
}

/** That a hook gets on its stdin, as JSON. */
export function renderHookState(container: HookContainer, status: RunHook['status']): string {
  return JSON.stringify(describeHookState(container, status))
}
