import { describe, expect, it } from 'vitest'
import type { Mount } from '../../src/config/spec.ts'
import { SpecError } from '../../src/errors.ts'
import { type MountsInput, planMountsAdd, planMountsRemove } from '../../src/fields/plan-mounts.ts'
import type { ContainerFacts } from '../../src/host/facts.ts'
import { lowerExec } from '../../src/lower/lower.ts'
import { FACTS, issuesOf, OPTIONS } from './facts.ts'

const CONTAINER: ContainerFacts = { namespaces: ['pid', 'network', 'mount'], cgroups: [] }

function input(mounts: readonly Mount[], container = CONTAINER): MountsInput {
  return { mounts, linux: undefined, options: OPTIONS, facts: FACTS, container }
}

function issues(plan: () => unknown): string[] {
  try {
    plan()
  } catch (error) {
    if (error instanceof SpecError) return issuesOf(error)
    throw error
  }
  return []
}

describe('mounts add', () => {
  it('enters the container, and nothing of its cgroups, before it mounts', () => {
    const bind = { destination: '/data', source: '/srv', options: ['bind', 'ro'] }
    const tmpfs = { destination: '/tmp/x', type: 'tmpfs', source: 'tmpfs' }
    const { steps } = planMountsAdd(input([bind, tmpfs]))
    expect(steps.map(({ kind }) => kind)).toEqual([
      'join-container',
      'clone-process',
      'join-container',
      'bind-mount',
      'mount-filesystem',
    ])
    expect(steps[0]).toMatchObject({ namespaces: ['pid'] })
    expect(steps[2]).toMatchObject({ namespaces: ['network', 'mount'] })
    // A path inside would be the container's.
    expect(steps[3]).toMatchObject({ source: '/srv', openedBy: 'runtime', origin: '/mounts/0' })
  })

  it('refuses what create refuses, all of it at once', () => {
    const gone = { destination: '/data', source: '/gone', options: ['bind'] }
    const proc = { destination: '/proc/1', type: 'tmpfs', source: 'tmpfs' }
    expect(issues(() => planMountsAdd(input([gone, proc])))).toEqual([
      '/mounts/0/source: an existing path of the host, found nothing at /gone',
      expect.stringMatching(/^\/mounts\/1\/destination: a path outside \/proc/),
    ])
  })

  it('refuses a container without a mount namespace of its own', () => {
    const container = { namespaces: ['pid' as const], cgroups: [] }
    const tmpfs = { destination: '/tmp/x', type: 'tmpfs', source: 'tmpfs' }
    expect(issues(() => planMountsAdd(input([tmpfs], container)))).toEqual([
      'the container has no mount namespace of its own, which one could mount in',
    ])
    // One that another mount namespace made, of whose mounts it has its own root alone.
    const made = { ...container, namespaces: ['mount' as const], root: '/proc/9/root' }
    expect(issues(() => planMountsAdd(input([tmpfs], made)))).toHaveLength(1)
  })
})

describe('mounts remove', () => {
  it('unmounts the last one first, by a name below an open directory', () => {
    const plan = planMountsRemove(input([{ destination: '/a' }, { destination: '/a//b/' }]))
    const unmounts = plan.steps.filter(({ kind }) => kind === 'unmount')
    expect(unmounts).toMatchObject([
      { origin: '/mounts/1', destination: '/a/b' },
      { origin: '/mounts/0', destination: '/a' },
    ])
    const { listing } = lowerExec(plan, 'x64').program
    const texts = listing.filter(({ step }) => step === unmounts[0]).map(({ text }) => text)
    expect(texts[0]).toBe(
      'directory = openat2(root</>, "/a", {O_PATH|O_DIRECTORY|O_CLOEXEC, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24)',
    )
    const last = texts.indexOf('fchdir(directory</a>)')
    expect(texts.slice(last, last + 3)).toEqual([
      'fchdir(directory</a>)',
      'close(directory</a>)',
      'umount2("b", MNT_DETACH|UMOUNT_NOFOLLOW)',
    ])
  })

  it('refuses the root', () => {
    expect(issues(() => planMountsRemove(input([{ destination: '/x/..' }])))).toEqual([
      '/mounts/0/destination: a path below /, found "/x/.."',
    ])
  })
})
