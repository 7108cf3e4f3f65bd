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
  const issues: Issue[] = []
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
    warnings: warnOfParameters(request),
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

/** A bind mount shows a superblock that is there already: it takes no parameters. */
function warnOfParameters({ mount, at, wishes }: MountRequest): string[] {
  return wishes.parameters.map(({ key, value }) => {
    const index = (mount.options ?? []).findIndex((option) => option.includes(key))
    const option = value === undefined ? key : `${key}=${value}`
    return `${at}/options/${Math.max(index, 0)}: ${option} has no effect on a bind mount`
  })
}
