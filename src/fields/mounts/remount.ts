import type { FilesystemParameter } from '../../plan/steps.ts'
import type { Contribution } from '../field.ts'
import { isVirtual } from './filesystem.ts'
import type { MountRequest } from './mount-request.ts'

/**
 * An entry with `remount` changes the mount that is at its destination. With `bind` that mount
 * alone, else its filesystem, too, as mount(2) has it.
 */
export function planRemount({ mount, at, destination, wishes }: MountRequest): Contribution {
  const { attributes, recursiveAttributes, propagation } = wishes
  return {
    steps: [
      {
        kind: 'remount',
        phase: 'mounts',
        origin: at,
        destination,
        parameters: wishes.bind === undefined ? parametersOf(mount.type, wishes) : [],
        attributes,
        recursiveAttributes,
        propagation,
      },
    ],
  }
}

function parametersOf(
  type: string | undefined,
  { attributes, superblock, parameters }: MountRequest['wishes'],
): readonly FilesystemParameter[] {
  // Without a type nothing tells whether others see the same filesystem.
  const isOwn = type !== undefined && type !== '' && type !== 'none' && !isVirtual(type)
  const word = attributes.set.includes('rdonly') ? 'ro' : 'rw'
  const isSaid = [...attributes.set, ...attributes.clear].includes('rdonly')
  return [...(isOwn && isSaid ? [{ key: word }] : []), ...superblock, ...parameters]
}
