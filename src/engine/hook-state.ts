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

/** The state JSON that a hook gets on its stdin (runtime-spec, runtime.md#state). */
export function renderHookState(container: HookContainer, status: RunHook['status']): string {
  const { ociVersion, id, pid, bundle, annotations } = container
  return JSON.stringify({ ociVersion, id, status, ...(pid && { pid }), bundle, annotations })
}
