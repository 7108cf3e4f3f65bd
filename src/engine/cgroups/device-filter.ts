import { closeSync, openSync } from 'node:fs'
import { isErrno } from '../../errors.ts'
import type { AttachDeviceFilter } from '../../plan/steps.ts'
import {
  attachDeviceFilter as attach,
  isOurDeviceFilter,
  loadDeviceFilter,
  openDeviceFilter,
  queryDeviceFilters,
  replaceDeviceFilter,
} from '../../sys/bpf.ts'
import { OPEN_DIRECTORY } from '../../sys/directory.ts'

/**
 * Loads the program and attaches it, in the place of the one that is there if there is one; the
 * kernel keeps it as long as the cgroup is there.
 */
export function attachDeviceFilter(step: AttachDeviceFilter): void {
  const program = loadDeviceFilter(Buffer.from(step.program, 'base64'))
  try {
    const cgroup = openSync(step.hierarchy + step.path, OPEN_DIRECTORY)
    try {
      const former = openOwnFilter(cgroup)
      if (former === undefined) attach(cgroup, program)
      else replace(cgroup, program, former)
    } finally {
      closeSync(cgroup)
    }
  } finally {
    closeSync(program)
  }
}

function replace(cgroup: number, program: number, former: number): void {
  try {
    replaceDeviceFilter(cgroup, program, former)
  } finally {
    closeSync(former)
  }
}

/** An fd of the filter that tsrunc attached to the cgroup before. */
function openOwnFilter(cgroup: number): number | undefined {
  for (const id of queryDeviceFilters(cgroup)) {
    const program = tryOpen(id)
    if (program === undefined) continue
    if (isOurDeviceFilter(program)) return program
    closeSync(program)
  }
  return undefined
}

/** Somebody else's, which was detached since. */
function tryOpen(id: number): number | undefined {
  try {
    return openDeviceFilter(id)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
