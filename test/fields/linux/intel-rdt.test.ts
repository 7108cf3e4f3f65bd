import { describe, expect, test } from 'vitest'
import type { IntelRdt } from '../../../src/config/spec.ts'
import { intelRdt, planSchemata } from '../../../src/fields/linux/intel-rdt.ts'
import { describeStep } from '../../../src/plan/describe-step.ts'
import { issuesOf, planning } from '../facts.ts'

/** No machine here has it: what is planned is all that can be shown. */
function plan(configured: IntelRdt, resctrl: string | undefined = '/sys/fs/resctrl') {
  if (!('plan' in intelRdt)) throw new Error('intelRdt is planned')
  const facts = resctrl === '' ? {} : { resctrl }
  return intelRdt.plan(configured, '/linux/intelRdt', planning({ facts }))
}

const textsOf = (configured: IntelRdt) =>
  plan(configured).steps?.map((step) => `${step.phase}: ${describeStep(step)}`)

describe('a group of resctrl', () => {
  test('without a closID is the container’s own, by its id', () => {
    const schemata = ['L2:0=3', 'MB:0=50']
    expect(textsOf({ l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20', schemata })).toEqual([
      'cgroup: make resctrl group /sys/fs/resctrl/web1 with L3:0=f MB:0=20 L2:0=3 MB:0=50',
      'process: join resctrl group /sys/fs/resctrl/web1',
    ])
    expect(plan({}).steps?.[0]).toMatchObject({ sharing: 'own' })
  })

  test('with one is shared: made if it is missing, or found', () => {
    expect(plan({ closID: 'gold', schemata: ['L3:0=f'] }).steps?.[0]).toMatchObject({
      path: '/sys/fs/resctrl/gold',
      sharing: 'shared',
    })
    expect(textsOf({ closID: 'gold' })).toEqual([
      'cgroup: find resctrl group /sys/fs/resctrl/gold',
      'process: join resctrl group /sys/fs/resctrl/gold',
    ])
  })

  test('is monitored by a group of its own below', () => {
    expect(textsOf({ closID: 'gold', enableMonitoring: true })).toEqual([
      'cgroup: find resctrl group /sys/fs/resctrl/gold',
      'cgroup: make resctrl group /sys/fs/resctrl/gold/mon_groups/web1',
      'process: join resctrl group /sys/fs/resctrl/gold',
      'process: join resctrl group /sys/fs/resctrl/gold/mon_groups/web1',
    ])
  })

  test('needs resctrl', () => {
    expect(issuesOf(plan({ closID: 'gold' }, ''))).toEqual([
      '/linux/intelRdt needs a host with resctrl mounted (mount -t resctrl resctrl /sys/fs/resctrl)',
    ])
  })
})

describe('other lines for a running container', () => {
  const lines = [
    { origin: '--l3-cache-schema', line: 'L3:0=3' },
    { origin: '--mem-bw-schema', line: 'MB:0=20' },
  ]
  const change = (configured: IntelRdt | undefined, resctrl = '/sys/fs/resctrl') =>
    planSchemata(lines, configured, planning({ facts: resctrl === '' ? {} : { resctrl } }))

  test('are written into the group that it is in', () => {
    expect(change({ closID: 'gold' }).steps).toMatchObject([
      { origin: '--l3-cache-schema', path: '/sys/fs/resctrl/gold', schemata: ['L3:0=3'] },
      { origin: '--mem-bw-schema', path: '/sys/fs/resctrl/gold', schemata: ['MB:0=20'] },
    ])
  })

  test('or into one of its own, which it then joins', () => {
    const texts = change(undefined).steps?.map(describeStep)
    expect(texts).toEqual([
      'make resctrl group /sys/fs/resctrl/web1 with L3:0=3',
      'make resctrl group /sys/fs/resctrl/web1 with MB:0=20',
      'join resctrl group /sys/fs/resctrl/web1',
    ])
  })

  test('need resctrl', () => {
    expect(issuesOf(change({}, ''))).toEqual([
      '--l3-cache-schema needs a host with resctrl mounted (mount -t resctrl resctrl /sys/fs/resctrl)',
    ])
  })
})
