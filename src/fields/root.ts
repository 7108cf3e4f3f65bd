import type { Root } from '../config/spec.ts'
import type { Issue, Pointer } from '../errors.ts'
import { resolveRootfs } from '../host/questions.ts'
import type { Contribution, Fields, Planning } from './field.ts'
import { isInMountsOfRuntime } from './linux/namespaces.ts'
import { planPropagation } from './linux/rootfs-propagation.ts'
import { isOpenedByRuntime } from './linux/user-namespace.ts'

/** `root`: the tree that becomes `/`. */
export const root: Fields<Root> = {
  path: { plan: planPath },
  readonly: { plan: planReadonly },
}

function planPath(_configured: string, at: Pointer, planning: Planning): Contribution {
  const { options, spec } = planning
  const path = resolveRootfs(spec, options.bundle) ?? options.bundle
  const issue = checkRootfs(path, at, planning)
  if (issue !== undefined) return { issues: [issue] }
  const { privateParent, afterwards } = planPropagation(planning)
  const isBorrowed = isInMountsOfRuntime(planning)
  const method = isBorrowed ? 'chroot' : options.noPivot ? 'move' : 'pivot'
  return {
    steps: [
      {
        kind: 'bind-rootfs',
        phase: 'rootfs',
        origin: at,
        path,
        privateParent,
        ...(isOpenedByRuntime(planning) && { openedBy: 'runtime' as const }),
      },
      {
        kind: 'enter-root',
        phase: 'enter-root',
        origin: at,
        method,
        ...(!isBorrowed && afterwards),
      },
    ],
  }
}

function checkRootfs(path: string, pointer: Pointer, { facts }: Planning): Issue | undefined {
  const kind = facts.paths.get(path)
  if (kind === 'directory') return undefined
  const expected = 'the path of a directory'
  if (kind === 'file') return { pointer, expected, found: `a file at ${path}` }
  // What a link leads to could be exchanged between this check and the mount.
  if (kind === 'link') return { pointer, expected, found: `a symbolic link at ${path}` }
  return { pointer, expected, found: `nothing at ${path}` }
}

function planReadonly(isReadonly: boolean, origin: Pointer): Contribution {
  if (!isReadonly) return {}
  return { steps: [{ kind: 'finish-readonly', phase: 'readonly', origin, destination: '/' }] }
}
