/**
 * The plans of the example bundles, as text, on a host with v1 and one with v2 alone. A change of
 * the planner shows in them what it changes: `UPDATE_GOLDEN=1 npx vitest run test/plan` writes
 * them anew, and the diff is to be read.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadSpec } from '../../src/config/load.ts'
import { planCreate } from '../../src/fields/plan-create.ts'
import type { Facts, PathKind } from '../../src/host/facts.ts'
import { inquire } from '../../src/host/questions.ts'
import { printPlan } from '../../src/plan/print.ts'
import { FACTS, HYBRID, OPTIONS, UNIFIED } from '../fields/facts.ts'

const BUNDLES = new URL('../../bundles/', import.meta.url)
const GOLDEN = new URL('../golden/', import.meta.url)

/** One instruction, BPF_RET SECCOMP_RET_ALLOW: what libseccomp would make is its own affair. */
const ALLOW_ALL = Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]).toString('base64')

function planBundle(name: string, cgroup: Facts['cgroup']): string {
  const { spec } = loadSpec(readFileSync(new URL(`${name}/config.json`, BUNDLES), 'utf8'), name)
  const { paths, unfollowed } = inquire(spec, OPTIONS)
  const kinds = new Map<string, PathKind>([
    ...paths.map((path) => [path, 'file'] as const),
    ...unfollowed.map((path) => [path, 'directory'] as const),
  ])
  const seccomp = { filter: ALLOW_ALL, unknownSyscalls: [] }
  const resctrl = '/sys/fs/resctrl'
  const facts: Facts = { ...FACTS, cgroup, paths: kinds, seccomp, resctrl }
  return printPlan(planCreate(spec, OPTIONS, facts))
}

const HYBRID_WITH_RDMA: Facts['cgroup'] = {
  ...HYBRID,
  v1: [...HYBRID.v1, { mountpoint: '/sys/fs/cgroup/rdma', controllers: ['rdma'] }],
}
const UNIFIED_WITH_RDMA: Facts['cgroup'] = {
  ...UNIFIED,
  v2: { mountpoint: '/sys/fs/cgroup', controllers: ['memory', 'pids', 'rdma'] },
}

/** By name: a bundle that somebody made beside them has no golden plan. */
const bundles = ['default', 'docker-like', 'podman-like', 'limits', 'hooks', 'resctrl', 'rdma']

describe.each(bundles)('the bundle %s', (name) => {
  test.each([
    ['hybrid', name === 'rdma' ? HYBRID_WITH_RDMA : HYBRID],
    ['unified', name === 'rdma' ? UNIFIED_WITH_RDMA : UNIFIED],
  ] as const)('has the plan that is recorded for a %s host', (mode, cgroup) => {
    const file = new URL(`${name}.${mode}.txt`, GOLDEN)
    const text = planBundle(name, cgroup)
    if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(file, text)
    expect(text).toBe(readFileSync(file, 'utf8'))
  })
})
