import type { Spec } from './spec.ts'

/** crun's, from before the spec had listenerPath. */
export const RECEIVER = 'run.oci.seccomp.receiver'

/** The agent's socket, and the member that names it; '' if none does. */
export function findListener({ linux, annotations }: Spec): { path: string; pointer: string } {
  const path = linux?.seccomp?.listenerPath ?? ''
  const annotated = annotations?.[RECEIVER] ?? ''
  if (path === '' && annotated !== '') {
    return { path: annotated, pointer: `/annotations/${RECEIVER}` }
  }
  return { path, pointer: '/linux/seccomp/listenerPath' }
}
