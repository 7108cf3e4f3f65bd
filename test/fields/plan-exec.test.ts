import { describe, expect, test } from 'vitest'
import type { Linux, Process } from '../../src/config/spec.ts'
import { SpecError } from '../../src/errors.ts'
import { planExec } from '../../src/fields/plan-exec.ts'
import type { ContainerFacts, ExecOptions, Facts } from '../../src/host/facts.ts'
import { EXEC_PHASES, PHASES } from '../../src/plan/phases.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { printPlan } from '../../src/plan/print.ts'
import { FACTS, issuesOf, OPTIONS, SPEC, UNIFIED } from './facts.ts'

const V1 = { hierarchy: '/sys/fs/cgroup/memory', path: '/tsrunc/web1', version: 1 } as const
const V2 = { hierarchy: '/sys/fs/cgroup', path: '/tsrunc/web1', version: 2 } as const
const CONTAINER: ContainerFacts = {
  namespaces: ['pid', 'network', 'mount'],
  cgroups: [V1, { ...V2, hierarchy: '/sys/fs/cgroup/unified' }],
}

interface Changes {
  readonly process?: Partial<Process>
  readonly linux?: Linux
  readonly options?: Partial<ExecOptions>
  readonly facts?: Partial<Facts>
  readonly container?: Partial<ContainerFacts>
}

function plan({ process, linux, options, facts, container }: Changes = {}): Plan {
  return planExec(
    {
      ...SPEC,
      linux: { ...SPEC.linux, ...linux },
      process: { args: ['sh'], cwd: '/', env: ['HOME=/'], ...process },
    },
    { ...OPTIONS, subCgroups: new Map(), ...options },
    { ...FACTS, ...facts },
    { ...CONTAINER, ...container },
  )
}

/** The steps of some phases, in words. */
function linesOf(changes: Changes, ...phases: readonly string[]): string[] {
  return printPlan(plan(changes))
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
    .filter(([phase = '']) => phases.includes(phase))
    .map((words) => words.slice(1).join(' '))
}

const entrance = (changes: Changes) =>
  linesOf(
    changes,
    'initial-affinity',
    'enter-cgroup',
    'final-affinity',
    'stage',
    'clone',
    'namespaces',
    'user',
  )

describe('the plan of exec', () => {
  test('has its own phases alone, in order, and ends with execve', () => {
    const { steps } = plan()
    for (const { phase } of steps) expect(EXEC_PHASES).toContain(phase)
    const ranks = steps.map(({ phase }) => PHASES.indexOf(phase))
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    expect(steps.at(-1)?.kind).toBe('execute')
  })

  test('makes nothing in the container: no cwd, no mount, no device', () => {
    const kinds = plan({ process: { cwd: '/work' } }).steps.map(({ kind }) => kind)
    expect(kinds).toContain('change-directory')
    for (const kind of ['make-directory', 'mount-filesystem', 'bind-mount', 'make-device']) {
      expect(kinds).not.toContain(kind)
    }
  })

  test('enters the cgroups before any namespace', () => {
    expect(entrance({ process: { oomScoreAdj: 7 } })).toEqual([
      '- join cgroup /sys/fs/cgroup/memory/tsrunc/web1',
      '- join cgroup /sys/fs/cgroup/unified/tsrunc/web1',
      '/process/oomScoreAdj set oom_score_adj 7',
      '- join namespaces pid of the container',
      '- clone process',
      '- join namespaces network mount of the container',
    ])
  })

  test('enters the groups of resctrl, which its child inherits', () => {
    const linux = { intelRdt: { closID: 'gold', schemata: ['L3:0=f'], enableMonitoring: true } }
    const facts = { resctrl: '/sys/fs/resctrl' }
    expect(linesOf({ linux, facts }, 'cgroup', 'enter-cgroup').slice(2)).toEqual([
      '/linux/intelRdt join resctrl group /sys/fs/resctrl/gold',
      '/linux/intelRdt join resctrl group /sys/fs/resctrl/gold/mon_groups/web1',
    ])
  })

  test('on v2 alone it is born in the cgroup; that of init is second', () => {
    const container = { cgroups: [{ ...V2, pathOfInit: '/tsrunc/web1/init.scope' }] }
    expect(entrance({ facts: { cgroup: UNIFIED }, container })).toEqual([
      '- join namespaces pid of the container',
      '- clone process into cgroup /sys/fs/cgroup/tsrunc/web1, or' +
        ' /sys/fs/cgroup/tsrunc/web1/init.scope where that takes no process',
      '- join namespaces network mount of the container',
    ])
  })

  test('--cgroup: only where it says, and nowhere else', () => {
    const memory = new Map([['memory', 'a/b']])
    expect(linesOf({ options: { subCgroups: memory } }, 'enter-cgroup')).toEqual([
      '--cgroup join cgroup /sys/fs/cgroup/memory/tsrunc/web1/a/b',
      '--cgroup join cgroup /sys/fs/cgroup/unified/tsrunc/web1',
    ])
    const options = { subCgroups: new Map([['', 'sub']]) }
    const container = { cgroups: [{ ...V2, pathOfInit: '/tsrunc/web1/init.scope' }] }
    expect(linesOf({ options, container, facts: { cgroup: UNIFIED } }, 'clone')).toEqual([
      '--cgroup clone process into cgroup /sys/fs/cgroup/tsrunc/web1/sub',
    ])
    const refused = () =>
      plan({ options: { subCgroups: memory }, container, facts: { cgroup: UNIFIED } })
    expect(refused).toThrow(/no v1 controller "memory": cgroup v2 takes a path alone$/)
  })

  test('execCPUAffinity: before and after the cgroups', () => {
    const execCPUAffinity = { initial: '0-2, 1', final: '7' }
    expect(entrance({ process: { execCPUAffinity }, container: { cgroups: [V1] } })).toEqual([
      '/process/execCPUAffinity/initial run on 3 CPUs 0 1 2',
      '- join cgroup /sys/fs/cgroup/memory/tsrunc/web1',
      '/process/execCPUAffinity/final run on 1 CPUs 7',
      '- join namespaces pid of the container',
      '- clone process',
      '- join namespaces network mount of the container',
    ])
  })

  test.each(['3-1', '8192'])('execCPUAffinity %s is refused', (initial) => {
    try {
      plan({ process: { execCPUAffinity: { initial } } })
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof SpecError)) throw error
      expect(issuesOf(error).join()).toMatch(
        /^\/process\/execCPUAffinity\/initial: ranges that asc/,
      )
    }
  })

  test('a user namespace: all of it last, and then as its root; without privileges first', () => {
    const container: ContainerFacts = { namespaces: ['user', 'pid', 'mount'], cgroups: [] }
    expect(entrance({ container })).toEqual([
      '- join namespaces pid of the container',
      '- clone process',
      '- join namespaces user mount of the container',
      '- become 0:0 of the user namespace',
    ])
    expect(entrance({ container, facts: { uid: 1000, permittedCapabilities: 0n } })).toEqual([
      '- join namespaces user pid of the container',
      '- clone process',
      '- join namespaces mount of the container',
      '- become 0:0 of the user namespace',
    ])
  })

  test('bounding set: what the process has not, the caller loses', () => {
    const capabilities = { bounding: ['CAP_CHOWN'], effective: [], permitted: [] }
    const drop = plan({ process: { capabilities } }).steps.find(
      (step) => step.kind === 'limit-bounding-set',
    )
    expect(drop?.drop).toHaveLength(40)
    expect(drop?.drop).not.toContain(0)
  })
})
