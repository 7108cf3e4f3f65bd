import { joinPointer } from '../../config/pointer.ts'
import type { NetDevice } from '../../config/spec.ts'
import type { Pointer } from '../../errors.ts'
import type { MoveNetDevice } from '../../plan/steps.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { hasOwnNamespace } from './namespaces.ts'

type NetDevices = Readonly<Record<string, NetDevice>>

export const netDevices: Field<NetDevices> = { plan: planNetDevices }

/** In the runtime's own namespace they would only be renamed: the host would be changed. */
function planNetDevices(configured: NetDevices, at: Pointer, planning: Planning): Contribution {
  const devices = Object.entries(configured)
  if (devices.length > 0 && !hasOwnNamespace('network', planning)) {
    return { issues: [{ pointer: at, expected: "a network namespace that is not the host's" }] }
  }
  return {
    steps: devices.map(
      ([device, { name = '' }]): MoveNetDevice => ({
        kind: 'move-net-device',
        phase: 'network',
        origin: joinPointer(at, device),
        device,
        name: name === '' ? device : name,
      }),
    ),
  }
}
