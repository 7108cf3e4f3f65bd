/** Mounts that the runtime makes on the host, with its own rights, and hands in detached. */
import { openSync } from 'node:fs'
import { AT, MOUNT_ATTR, MS, OPEN_TREE } from '../lower/constants.ts'
import { lowerIdHolder } from '../lower/lower.ts'
import { type Change, listChanges } from '../lower/mount-attributes.ts'
import { propagationOfBind } from '../lower/steps/mounts.ts'
import { propagationOfRootfs } from '../lower/steps/rootfs.ts'
import {
  attributeNames,
  encodeMountAttr,
  MOUNT_ATTR_AT,
  MOUNT_ATTR_SIZE,
  PROPAGATION,
} from '../lower/structs.ts'
import type { BindMount, BindRootfs, MountIdmap } from '../plan/steps.ts'
import { closeFd } from '../sys/fd.ts'
import { callKernel } from '../sys/ffi.ts'
import type { Architecture } from '../sys/syscall-numbers.ts'
import {
  endExecution,
  explainExecution,
  reapExecution,
  serveMeetings,
  startExecution,
} from './execution.ts'
import { writeIdMaps } from './id-maps.ts'

const AT_FDCWD = -100
const NOTHING = { set: [], clear: [] } as const

/** Whose the tree will be. */
export interface TreeOwner {
  /** pid of the container's process, which waits. */
  readonly pid: number
  readonly architecture: Architecture
}

/** The tree of a step, as it shall be attached; the caller closes it. */
export function openTree(step: BindMount | BindRootfs, owner: TreeOwner): number {
  if (step.kind === 'bind-rootfs') {
    return makeTree(
      step.path,
      { recursive: true },
      listChanges(NOTHING, NOTHING, [propagationOfRootfs(step)]),
    )
  }
  const { recursive, attributes, recursiveAttributes, idmap } = step
  const changes = listChanges(attributes, recursiveAttributes, propagationOfBind(step))
  const setIds = (tree: number): void => {
    if (idmap !== undefined) mapMount(tree, step, idmap, owner)
  }
  return makeTree(step.source, { recursive, nofollow: step.sourceNofollow }, changes, setIds)
}

/** Complete before anybody sees it: attached as it is cloned, it would show on the host. */
function makeTree(
  path: string,
  { recursive, nofollow = false }: { recursive: boolean; nofollow?: boolean | undefined },
  changes: readonly Change[],
  setIds: (tree: number) => void = () => {},
): number {
  const { CLONE, CLOEXEC } = OPEN_TREE.values
  const { RECURSIVE, SYMLINK_NOFOLLOW } = AT.values
  const how = [CLONE, CLOEXEC, recursive ? RECURSIVE : 0, nofollow ? SYMLINK_NOFOLLOW : 0]
    .map(Number)
    .reduce((sum, flag) => sum | flag)
  const call = `open_tree(AT_FDCWD, ${JSON.stringify(path)}, OPEN_TREE_CLONE)`
  const tree = callKernel('open_tree', [AT_FDCWD, Buffer.from(`${path}\0`), how], call)
  try {
    // Before the attributes: a mount is idmapped at most once, and while it is writable.
    setIds(tree)
    for (const change of changes) changeTree(tree, path, change)
    return tree
  } catch (error) {
    closeFd(tree)
    throw error
  }
}

function changeTree(tree: number, path: string, change: Change): void {
  const names = attributeNames(change.attributes)
  const bits = (list: readonly (keyof typeof MOUNT_ATTR.values)[]): bigint =>
    list.reduce((sum, name) => sum | BigInt(MOUNT_ATTR.values[name]), 0n)
  const { propagation } = change
  const spread = propagation === undefined ? 0n : BigInt(MS.values[PROPAGATION[propagation]])
  const struct = encodeMountAttr(bits(names.set), bits(names.clear), spread)
  const words = [...names.set, ...names.clear.map((name) => `!${name}`), propagation ?? '']
  setAttributes(tree, change.recursive, struct, `${path}>, {${words.filter(Boolean).join(' ')}`)
}

function mapMount(tree: number, step: BindMount, idmap: MountIdmap, owner: TreeOwner): void {
  const { mappings, userNamespace } = idmap
  const path = userNamespace ?? `/proc/${owner.pid}/ns/user`
  const namespace =
    mappings === undefined
      ? openSync(path, 'r')
      : openIdNamespace(step, mappings, owner.architecture)
  try {
    const struct = encodeMountAttr(BigInt(MOUNT_ATTR.values.IDMAP), 0n, 0n)
    new DataView(struct.buffer).setBigUint64(MOUNT_ATTR_AT.userns, BigInt(namespace), true)
    setAttributes(tree, idmap.recursive, struct, `${step.source}>, {MOUNT_ATTR_IDMAP`)
  } finally {
    closeFd(namespace)
  }
}

function setAttributes(tree: number, recursive: boolean, struct: Uint8Array, shown: string): void {
  const how = Number(AT.values.EMPTY_PATH) | (recursive ? Number(AT.values.RECURSIVE) : 0)
  callKernel(
    'mount_setattr',
    [tree, Buffer.from('\0'), how, struct, MOUNT_ATTR_SIZE],
    `mount_setattr(tree<${shown}})`,
  )
}

/** A user namespace with these ids and nobody in it: its process leaves as soon as it is open. */
function openIdNamespace(
  step: BindMount,
  mappings: NonNullable<MountIdmap['mappings']>,
  architecture: Architecture,
): number {
  const execution = startExecution({ program: lowerIdHolder(step, architecture) })
  let namespace: number | undefined
  try {
    serveMeetings(
      execution.control,
      () => {
        writeIdMaps(execution.pid, { ...mappings, setgroups: 'allow' })
        namespace = openSync(`/proc/${execution.pid}/ns/user`, 'r')
        return { verdict: 'proceed' }
      },
      () => false,
    )
    const { ended, succeeded } = reapExecution(execution)
    if (succeeded && namespace !== undefined) return namespace
    throw explainExecution(execution, ended)
  } catch (error) {
    if (namespace !== undefined) closeFd(namespace)
    throw error
  } finally {
    endExecution(execution)
    closeFd(execution.status)
  }
}
