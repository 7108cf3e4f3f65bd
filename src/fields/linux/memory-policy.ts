import type { MemoryPolicy } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import type { MemoryPolicyFlag, MemoryPolicyMode, SetMemoryPolicy } from '../../plan/steps.ts'
import type { Contribution, Field } from '../field.ts'

export const memoryPolicy: Field<MemoryPolicy> = { plan: planMemoryPolicy }

/** MAX_NUMNODES of the kernels that distributions build. */
const MOST_NODES = 1024

/** set_mempolicy(2) takes nodes with these only as an empty set. */
const WITHOUT_NODES: readonly string[] = ['MPOL_DEFAULT', 'MPOL_LOCAL']

function planMemoryPolicy(configured: MemoryPolicy, origin: Pointer): Contribution {
  const { mode, flags = [] } = configured
  if (mode === undefined) {
    return { issues: [{ pointer: `${origin}/mode`, expected: 'a mode such as MPOL_BIND' }] }
  }
  const { nodes, issues } = parseNodes(configured.nodes ?? '', `${origin}/nodes`)
  if (nodes.length > 0 && WITHOUT_NODES.includes(mode)) {
    issues.push({ pointer: `${origin}/nodes`, expected: `no nodes for ${mode}` })
  }
  if (issues.length > 0) return { issues }
  const step: SetMemoryPolicy = {
    kind: 'set-memory-policy',
    phase: 'attributes',
    origin,
    mode: mode.replace('MPOL_', '') as MemoryPolicyMode,
    flags: flags.map((flag) => flag.replace('MPOL_F_', '') as MemoryPolicyFlag),
    nodes,
  }
  return { steps: [step] }
}

/** `0-1,3`, as the files of sysfs write it. */
function parseNodes(list: string, pointer: Pointer): { nodes: number[]; issues: Issue[] } {
  const nodes = new Set<number>()
  for (const range of list.trim() === '' ? [] : list.split(',')) {
    const [, first, last = first] = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(range) ?? []
    if (first === undefined || Number(last) < Number(first) || Number(last) >= MOST_NODES) {
      const expected = `a list of nodes below ${MOST_NODES}, such as 0-1,3`
      return { nodes: [], issues: [{ pointer, expected, found: JSON.stringify(list) }] }
    }
    for (let node = Number(first); node <= Number(last); node++) nodes.add(node)
  }
  return { nodes: [...nodes], issues: [] }
}
