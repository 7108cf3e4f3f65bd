import type { Spec } from './spec.ts'

/** crun's, from before the spec had listenerPath. */
export const RECEIVER = 'run.oci.seccomp.receiver'

/**
 * As if the annotation said what the caller's variable RUN_OCI_SECCOMP_RECEIVER does, as in crun:
 * where the config asks for an agent and names none.
 */
export function receiveAt(spec: Spec, receiver = ''): Spec {
  const { syscalls = [] } = spec.linux?.seccomp ?? {}
  const isAsked = syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY')
  if (receiver === '' || !isAsked || findListener(spec).path !== '') return spec
  return { ...spec, annotations: { ...spec.annotations, [RECEIVER]: receiver } }
}

/** The agent's socket, and the member that names it; '' if none does. */
export function findListener({ linux, annotations }: Spec): { path: string; pointer: string } {
  const path = linux?.seccomp?.listenerPath ?? ''
  const annotated = annotations?.[RECEIVER] ?? ''
  if (path === '' && annotated !== '') {
    return { path: annotated, pointer: `/annotations/${RECEIVER}` }
  }
  return { path, pointer: '/linux/seccomp/listenerPath' }
}
