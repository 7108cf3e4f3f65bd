import { describe, expect, test } from 'vitest'
import { mounts } from '../../../src/fields/mounts.ts'
import type { CgroupFacts } from '../../../src/host/facts.ts'
import type { Step } from '../../../src/plan/steps.ts'
import { HYBRID, planning, UNIFIED } from '../facts.ts'

function plan(cgroup: CgroupFacts, isOwn: boolean, options: string[]): readonly Step[] {
  if (!('plan' in mounts)) throw new Error('mounts is planned')
  const namespaces = [{ type: 'mount' as const }, ...(isOwn ? [{ type: 'cgroup' as const }] : [])]
  const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }
  const from = planning({ spec: { linux: { namespaces }, mounts: [mount] }, facts: { cgroup } })
  return mounts.plan([mount], '/mounts', from).steps ?? []
}

/** Type or source, destination and attributes of each step. */
function sketch(steps: readonly Step[]): string[] {
  return steps.map((step) => {
    if (step.kind === 'make-symlink') return `${step.path} -> ${step.target}`
    if (step.kind === 'bind-mount') return `${step.source} on ${step.destination}`
    if (step.kind !== 'mount-filesystem') return step.kind
    const parameters = step.parameters.map(({ key, value }) => (value ? `${key}=${value}` : key))
    return [step.type, ...parameters, 'on', step.destination, ...step.attributes.set].join(' ')
  })
}

describe('the mount of type cgroup', () => {
  test('with v2 alone is cgroup2 in a cgroup namespace of its own', () => {
    const steps = plan(UNIFIED, true, ['ro', 'nosuid', 'nsdelegate'])
    expect(sketch(steps)).toEqual(['cgroup2 nsdelegate on /sys/fs/cgroup rdonly nosuid'])
  })

  test('with v2 alone is the container’s own directory otherwise', () => {
    expect(sketch(plan(UNIFIED, false, []))).toEqual([
      '/sys/fs/cgroup/tsrunc/web1 on /sys/fs/cgroup',
    ])
  })

  test('beside v1 is the host’s layout in a tmpfs', () => {
    expect(sketch(plan(HYBRID, true, ['ro']))).toEqual([
      'tmpfs mode=755 on /sys/fs/cgroup nosuid nodev noexec',
      'cgroup cpu cpuacct on /sys/fs/cgroup/cpu,cpuacct rdonly',
      '/sys/fs/cgroup/cpu -> cpu,cpuacct',
      '/sys/fs/cgroup/cpuacct -> cpu,cpuacct',
      'cgroup memory on /sys/fs/cgroup/memory rdonly',
      'cgroup devices on /sys/fs/cgroup/devices rdonly',
      'cgroup pids on /sys/fs/cgroup/pids rdonly',
      'cgroup blkio on /sys/fs/cgroup/blkio rdonly',
      'cgroup name=systemd on /sys/fs/cgroup/systemd rdonly',
      'cgroup2 on /sys/fs/cgroup/unified rdonly',
      'finish-readonly',
    ])
  })

  test('without a namespace of its own binds the container’s directory of each hierarchy', () => {
    const steps = sketch(plan(HYBRID, false, []))
    expect(steps[1]).toBe('/sys/fs/cgroup/cpu,cpuacct/tsrunc/web1 on /sys/fs/cgroup/cpu,cpuacct')
    expect(steps.at(-1)).toBe('/sys/fs/cgroup/unified/tsrunc/web1 on /sys/fs/cgroup/unified')
  })
})
