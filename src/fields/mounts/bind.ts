import type { Issue } from '../../errors.ts'
import { resolveBindSource } from '../../host/questions.ts'
import type { Contribution, Planning } from '../field.ts'
import { isOpenedByRuntime } from '../linux/user-namespace.ts'
import { planIdmap } from './idmap.ts'
import type { MountRequest } from './mount-request.ts'

export function planBind(request: MountRequest, planning: Planning): Contribution {
  const { mount, at, destination, wishes } = request
  const { facts, options } = planning
  const source = resolveBindSource(mount, options.bundle)
  if (source === undefined) {
    return { issues: [{ pointer: at, expected: 'a source: it is what a bind mount shows' }] }
  }
  const target = facts.links.get(source)
  if (target !== undefined && wishes.copySymlink) {
    return {
      steps: [{ kind: 'make-symlink', phase: 'mounts', origin: at, target, path: destination }],
    }
  }
  const isLink = target !== undefined && wishes.sourceNofollow
  const issues = checkParameters(request)
  const kind = facts.paths.get(source)
  if (!isLink && (kind === undefined || kind === 'missing')) {
    const expected = 'an existing path of the host'
    issues.push({ pointer: `${at}/source`, expected, found: `nothing at ${source}` })
  }
  const ids = planIdmap(request, planning)
  if ('issue' in ids) issues.push(ids.issue)
  if (issues.length > 0) return { issues }
  const isRuntimes = 'idmap' in ids || isOpenedByRuntime(planning)
  return {
    steps: [
      {
        kind: 'bind-mount',
        phase: 'mounts',
        origin: at,
        source,
        sourceKind: kind === 'directory' && !isLink ? 'directory' : 'file',
        destination,
        recursive: wishes.bind === 'recursive',
        attributes: wishes.attributes,
        recursiveAttributes: wishes.recursiveAttributes,
        propagation: wishes.propagation,
        ...(wishes.destinationNofollow && { nofollow: true }),
        ...(isLink && { sourceNofollow: true }),
        ...(isRuntimes && { openedBy: 'runtime' }),
        ...ids,
      },
    ],
  }
}

/** A bind mount shows a superblock that is there already: what it cannot take would be lost. */
function checkParameters({ mount, at, wishes }: MountRequest): Issue[] {
  const first = wishes.parameters[0]
  if (first === undefined) return []
  const index = (mount.options ?? []).findIndex((option) => option.includes(first.key))
  const expected = 'an option of bind mounts: a bind mount has no filesystem parameters'
  const found = first.value === undefined ? first.key : `${first.key}=${first.value}`
  return [{ pointer: `${at}/options/${Math.max(index, 0)}`, expected, found }]
}
