import type { RunHook } from '../plan/steps.ts'

/** What a hook is told of its container. */
export interface HookContainer {
  readonly id: string
  readonly ociVersion: string
  readonly bundle: string
  readonly annotations: Readonly<Record<string, string>>
  /** As seen from the runtime; absent once the container is stopped. */
  readonly pid?: number
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
