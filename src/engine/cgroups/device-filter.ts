import { closeSync, openSync } from 'node:fs'
import type { AttachDeviceFilter } from '../../plan/steps.ts'
import { attachDeviceFilter as attach, loadDeviceFilter } from '../../sys/bpf.ts'
import { OPEN_DIRECTORY } from '../../sys/directory.ts'

/** Loads and attaches the program; the kernel keeps it as long as the cgroup is there. */
export function attachDeviceFilter(step: AttachDeviceFilter): void {
  const program = loadDeviceFilter(Buffer.from(step.program, 'base64'))
  try {
    const cgroup = openSync(step.hierarchy + step.path, OPEN_DIRECTORY)
    try {
      attach(cgroup, program)
    } finally {
      closeSync(cgroup)
    }
  } finally {
    closeSync(program)
  }
}
