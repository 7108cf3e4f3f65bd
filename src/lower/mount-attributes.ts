/** mount_setattr(2): attributes and propagation of a mount that is still detached. */
import type { AttributeChange, PropagationChange } from '../plan/steps.ts'
import type { Assembler } from './assembler.ts'
import { text } from './calls.ts'
import { AT, flags, MOUNT_ATTR, MS, NULL } from './constants.ts'
import type { CallOptions } from './instructions.ts'
import { address, immediate, type Operand } from './operands.ts'
import { attributeNames, encodeMountAttr, MOUNT_ATTR_SIZE, PROPAGATION } from './structs.ts'

const NO_CHANGE: AttributeChange = { set: [], clear: [] }

/** One call of mount_setattr(2). */
export interface Change {
  readonly attributes: AttributeChange
  readonly propagation?: PropagationChange['propagation']
  readonly recursive: boolean
}

/** Applies attributes, those for all mounts below, then propagation, in as few calls as can be. */
export function changeMount(
  asm: Assembler,
  tree: Operand,
  own: AttributeChange,
  recursive: AttributeChange,
  propagation: readonly PropagationChange[],
): void {
  for (const change of listChanges(own, recursive, propagation)) {
    setAttributes(asm, tree, '', change)
  }
}

/** The calls that it takes. */
export function listChanges(
  own: AttributeChange,
  recursive: AttributeChange,
  propagation: readonly PropagationChange[],
): readonly Change[] {
  const changes: Change[] = []
  if (isChange(own)) changes.push({ attributes: own, recursive: false })
  if (isChange(recursive)) changes.push({ attributes: recursive, recursive: true })
  for (const change of propagation) {
    const last = changes.at(-1)
    const joined = last?.recursive === change.recursive && last.propagation === undefined
    if (last !== undefined && joined) changes.pop()
    changes.push({ attributes: joined && last ? last.attributes : NO_CHANGE, ...change })
  }
  return changes
}

/** One call; with an empty path the fd itself is meant. */
export function setAttributes(
  asm: Assembler,
  directory: Operand,
  path: string,
  change: Change,
  options: CallOptions = {},
): void {
  const names = attributeNames(change.attributes)
  const set = flags(MOUNT_ATTR, ...names.set)
  const clear = flags(MOUNT_ATTR, ...names.clear)
  const spread =
    change.propagation === undefined ? NULL : flags(MS, PROPAGATION[change.propagation])
  const struct = asm.bytes(encodeMountAttr(set.value, clear.value, spread.value))
  const shown = [
    ...(names.set.length > 0 ? [`set ${set.show}`] : []),
    ...(names.clear.length > 0 ? [`clear ${clear.show}`] : []),
    ...(change.propagation === undefined ? [] : [spread.show]),
  ]
  const at = flags(
    AT,
    ...(path === '' ? (['EMPTY_PATH'] as const) : []),
    ...(change.recursive ? (['RECURSIVE'] as const) : []),
  )
  const size = immediate(MOUNT_ATTR_SIZE)
  asm.call(
    'mount_setattr',
    [directory, text(asm, path), at, address(struct, `{${shown.join(', ')}}`), size],
    options,
  )
}

function isChange(change: AttributeChange): boolean {
  return change.set.length > 0 || change.clear.length > 0
}
