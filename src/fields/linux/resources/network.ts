import type { Network } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { merge } from '../../walk.ts'
import { issueOnlyV1, planController } from './controller.ts'

/** v1 only; on v2 the same is done by eBPF programs and netfilter, by others. */
export const network: Field<Network> = { plan: planNetwork }

function planNetwork(network: Network, at: Pointer, planning: Planning): Contribution {
  const { classID = 0, priorities = [] } = network
  const classAt = `${at}/classID`
  const prioritiesAt = `${at}/priorities`
  if (planning.facts.cgroup.mode === 'unified') {
    const issues = classID === 0 ? [] : [issueOnlyV1(classAt, 'classes of network traffic')]
    if (priorities.length > 0)
      issues.push(issueOnlyV1(prioritiesAt, 'priorities of network traffic'))
    return { issues }
  }
  const byClass = planController('net_cls', classAt, planning, () => ({
    settings: classID === 0 ? [] : [{ field: '', file: 'net_cls.classid', value: `${classID}` }],
  }))
  const byPriority = planController('net_prio', prioritiesAt, planning, () => ({
    settings: priorities.map(({ name, priority }, index) => {
      return { field: `${index}`, file: 'net_prio.ifpriomap', value: `${name} ${priority}` }
    }),
    issues: priorities.flatMap(({ name }, index) => checkName(name, `${prioritiesAt}/${index}`)),
  }))
  return merge([byClass, byPriority])
}

/** A blank would end the name in the line that the kernel reads. */
function checkName(name: string, at: Pointer): Issue[] {
  if (/^[^\s/:]{1,15}$/.test(name)) return []
  const found = JSON.stringify(name)
  return [{ pointer: `${at}/name`, expected: 'the name of a network interface', found }]
}
