import { describe, expect, test } from 'vitest'
import type { Linux, Spec } from '../../../src/config/spec.ts'
import { SpecError } from '../../../src/errors.ts'
import { planCreate } from '../../../src/fields/plan-create.ts'
import type { Facts } from '../../../src/host/facts.ts'
import { describeStep } from '../../../src/plan/describe-step.ts'
import type { Step } from '../../../src/plan/steps.ts'
import { FACTS, issuesOf, OPTIONS, SPEC } from '../facts.ts'

const RANGE = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const OWN = [{ containerID: 0, hostID: 1000, size: 1 }]
const USER: Facts = {
  ...FACTS,
  uid: 1000,
  gid: 1000,
  permittedCapabilities: 0n,
  cgroup: noCgroups(),
}
const HELPERS = { uid: '/usr/bin/newuidmap', gid: '/usr/bin/newgidmap' }

function noCgroups(): Facts['cgroup'] {
  return { mode: 'hybrid', v1: [] }
}

function planOf(linux: Partial<Linux>, facts: Facts = FACTS, spec: Partial<Spec> = {}) {
  const namespaces = [{ type: 'mount' }, { type: 'pid' }, { type: 'user' }] as const
  const whole = { ...SPEC, ...spec, linux: { namespaces, ...linux } }
  return planCreate(whole, OPTIONS, facts).steps
}

function refusal(...args: Parameters<typeof planOf>): string[] {
  try {
    planOf(...args)
    return []
  } catch (error) {
    if (error instanceof SpecError) return issuesOf(error)
    throw error
  }
}

/** The steps until init is the root of its namespace. */
function begin(steps: readonly Step[]): string[] {
  const phases = ['stage', 'stage-end', 'clone', 'process', 'namespaces', 'rootfs', 'user']
  return steps.filter(({ phase }) => phases.includes(phase)).map(describeStep)
}

const MAPS = { uidMappings: RANGE, gidMappings: RANGE }

describe('a user namespace', () => {
  test('of root is made by the clone, mapped from outside, and everything is opened for it', () => {
    const steps = planOf({ ...MAPS, namespaces: [{ type: 'mount' }, { type: 'user' }] })
    expect(begin(steps).filter((text) => !text.startsWith('join cgroup'))).toEqual([
      'clone init in new namespaces mount user',
      'map uids 0-100000-65536, gids 0-100000-65536',
      'make / rslave',
      'bind /bundle/rootfs onto itself, opened by the runtime',
      'become 0:0 of the user namespace',
    ])
  })

  test('of a user is unshared first; dumpable only until its maps are written', () => {
    const own = { uidMappings: OWN, gidMappings: OWN }
    expect(begin(planOf({ ...own, timeOffsets: {} }, USER))).toEqual([
      'let the caller write the id maps (dumpable)',
      'unshare user namespace',
      'map uids 0-1000-1, gids 0-1000-1, denying setgroups',
      'let nobody trace us (not dumpable)',
      'clone init in new namespaces mount pid',
      'make / rslave',
      'bind /bundle/rootfs onto itself',
      'become 0:0 of the user namespace',
    ])
  })

  test('other ids of a user are mapped by helpers, and without them refused', () => {
    const steps = planOf(MAPS, { ...USER, idMapHelpers: HELPERS })
    expect(steps).toContainEqual(
      expect.objectContaining({ kind: 'map-ids', helpers: HELPERS, setgroups: 'allow' }),
    )
    expect(steps).toContainEqual(expect.objectContaining({ kind: 'set-user', additionalGids: [] }))
    expect(refusal(MAPS, USER)).toEqual([
      expect.stringContaining('without newuidmap and newgidmap'),
    ])
  })

  test('where setgroups is denied groups are kept, and others cannot be had', () => {
    const own = { uidMappings: OWN, gidMappings: OWN }
    const find = (steps: readonly Step[]) => steps.find(({ kind }) => kind === 'set-user')
    expect(find(planOf(own, USER))).not.toHaveProperty('additionalGids')
    const nested = { ...FACTS, userNamespace: { isInitial: false, setgroups: 'deny' } } as const
    expect(find(planOf(MAPS, nested))).not.toHaveProperty('additionalGids')
    const process = { args: ['sh'], cwd: '/', user: { additionalGids: [0] } }
    expect(refusal(own, USER, { process })).toHaveLength(1)
  })

  test('that is joined comes last for root and first for a user, before the clone', () => {
    const facts = { ...FACTS, namespaces: joinable() }
    const namespaces = [
      { type: 'user', path: '/proc/9/ns/user' },
      { type: 'network', path: '/run/netns/blue' },
      { type: 'mount' },
    ] as const
    const order = (facts: Facts) =>
      begin(planOf({ namespaces }, facts)).filter((text) =>
        /^(join \w+ namespace|clone)/.test(text),
      )
    const joins = ['join network namespace /run/netns/blue', 'join user namespace /proc/9/ns/user']
    const clone = 'clone init in new namespaces mount'
    expect(order(facts)).toEqual([...joins, clone])
    expect(order({ ...USER, namespaces: joinable() })).toEqual([...joins.toReversed(), clone])
  })

  function joinable(): Facts['namespaces'] {
    return new Map([...FACTS.namespaces, ['/proc/9/ns/user', { type: 'user', inode: 95n }]])
  }

  test('ids of the process that it does not map are named', () => {
    const process = { args: ['sh'], cwd: '/', user: { uid: 70_000, additionalGids: [1, 70_001] } }
    expect(refusal(MAPS, FACTS, { process })).toEqual([
      '/process/user/uid: an id that /linux/uidMappings maps, found 70000',
      '/process/user/additionalGids/1: an id that /linux/gidMappings maps, found 70001',
    ])
  })

  test('has all capabilities to give, also those that the caller lacks', () => {
    const capabilities = { permitted: ['CAP_SYS_TIME'], bounding: ['CAP_SYS_TIME'] }
    const process = { args: ['sh'], cwd: '/', capabilities }
    const facts = { ...FACTS, boundingCapabilities: 0n }
    const limit = planOf(MAPS, facts, { process }).find(({ kind }) => kind === 'limit-bounding-set')
    expect(limit).toMatchObject({ drop: expect.not.arrayContaining([25]) })
    expect(limit).toMatchObject({ drop: expect.arrayContaining([0, 40]) })
  })

  test('takes a hard limit from outside', () => {
    const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 10n, hard: 30_000n }] as const
    const process = { args: ['sh'], cwd: '/', rlimits }
    const steps = planOf(MAPS, FACTS, { process })
    expect(steps).toContainEqual(expect.objectContaining({ kind: 'raise-limit', hard: 30_000n }))
  })

  test('has the host’s devices bound, if they are those that were asked for', () => {
    const devices = [{ type: 'c', path: '/dev/fuse', major: 10, minor: 229 }] as const
    const facts: Facts = {
      ...FACTS,
      devices: new Map([['/dev/fuse', { type: 'c', major: 10, minor: 229 }]]),
    }
    const steps = planOf({ ...MAPS, devices }, facts)
    expect(steps.filter(({ kind }) => kind === 'make-device')).toEqual([])
    expect(steps).toContainEqual(
      expect.objectContaining({ kind: 'bind-mount', source: '/dev/fuse', openedBy: 'runtime' }),
    )
    expect(refusal({ ...MAPS, devices })).toEqual([expect.stringContaining('found no device')])
  })
})

test('a root of another machine’s namespace makes no device nodes either', () => {
  const facts: Facts = { ...FACTS, userNamespace: { isInitial: false, setgroups: 'allow' } }
  const steps = planOf({ namespaces: [{ type: 'mount' }] }, facts)
  const binds = steps.filter(({ kind, phase }) => kind === 'bind-mount' && phase === 'devices')
  expect(binds).toHaveLength(6)
  expect(binds[0]).not.toHaveProperty('openedBy')
})

describe('ids of a mount', () => {
  const srv = { destination: '/a', source: '/srv' }
  const bind = (mount: object, linux: Partial<Linux> = {}, facts = FACTS) =>
    planOf({ namespaces: [{ type: 'mount' }], ...linux }, facts, {
      mounts: [{ ...srv, ...mount }],
    }).find(({ kind }) => kind === 'bind-mount')
  const user = { ...MAPS, namespaces: [{ type: 'mount' }, { type: 'user' }] } as const

  test('are those of its mappings, or of the user namespace', () => {
    const own = bind({ options: ['rbind', 'ridmap'], uidMappings: RANGE, gidMappings: OWN })
    expect(own).toMatchObject({
      openedBy: 'runtime',
      idmap: { recursive: true, mappings: { uidMappings: RANGE, gidMappings: OWN } },
    })
    expect(bind({ options: ['bind', 'idmap'] }, user)).toMatchObject({
      idmap: { recursive: false },
    })
  })

  test('may be said in crun’s words, also by ids of the container', () => {
    const option = 'idmap=uids=0-5-10#20-@7-1;gids=@1-3-10'
    expect(() => bind({ options: ['bind', option] }, user)).toThrow(/uids=CONTAINER-HOST-SIZE/)
    const right = 'idmap=uids=0-5-10#@20-7-1;gids=@1-3-10'
    expect(bind({ options: ['bind', right] }, user)).toMatchObject({
      idmap: {
        mappings: {
          uidMappings: [
            { containerID: 0, hostID: 5, size: 10 },
            { containerID: 20, hostID: 100_007, size: 1 },
          ],
          gidMappings: [{ containerID: 1, hostID: 100_003, size: 10 }],
        },
      },
    })
  })

  test('need mappings from somewhere, and root', () => {
    expect(() => bind({ options: ['bind', 'idmap'] })).toThrow(/or a user namespace/)
    const own = { uidMappings: OWN, gidMappings: OWN, namespaces: user.namespaces }
    expect(() => bind({ options: ['bind', 'idmap'] }, own, USER)).toThrow(/only root/)
  })
})

test('time offsets are written between the making of the namespace and the clone', () => {
  const namespaces = [{ type: 'mount' }, { type: 'time' }] as const
  const timeOffsets = { boottime: { secs: -5n }, monotonic: { secs: 7n, nanosecs: 9 } }
  expect(begin(planOf({ namespaces, timeOffsets })).slice(0, 3)).toEqual([
    'unshare time namespace',
    'set time offsets monotonic 7 s 9 ns, boottime -5 s 0 ns',
    'clone init in new namespaces mount',
  ])
})
