/** Cgroups of the tests on the real kernel: made below a name of their own, and removed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { killCgroups, removeCgroups } from '../../../src/engine/cgroups/remove.ts'
import { parseHierarchies } from '../../../src/host/cgroup-hierarchies.ts'
import type { MakeCgroup } from '../../../src/plan/steps.ts'
import type { RecordedCgroup } from '../../../src/state/record.ts'

export const HIERARCHIES = parseHierarchies(
  readFileSync('/proc/self/mountinfo', 'latin1'),
  (mountpoint) => readFileSync(join(mountpoint, 'cgroup.controllers'), 'latin1'),
)

export function findV1(controller: string): string | undefined {
  return HIERARCHIES.v1.find(({ controllers }) => controllers.includes(controller))?.mountpoint
}

export const V2 = HIERARCHIES.v2?.mountpoint

/** Why there is nothing to test on; '' when there is. */
export function whyNot(needed: Readonly<Record<string, string | undefined>>): string {
  if (process.geteuid?.() !== 0) return ' (skipped: needs root)'
  const missing = Object.keys(needed).filter((name) => needed[name] === undefined)
  return missing.length === 0 ? '' : ` (skipped: no hierarchy of ${missing.join(', ')} here)`
}

let count = 0

/** A path of which nothing exists yet. */
export function freshPath(): string {
  count += 1
  return `/tsrunc-test-cgroups-${process.pid}-${count}`
}

export function makeStep(hierarchy: string, path: string, more: Partial<MakeCgroup> = {}) {
  const step: MakeCgroup = {
    kind: 'make-cgroup',
    phase: 'cgroup',
    origin: '/linux/cgroupsPath',
    hierarchy,
    path,
    inherit: [],
    enable: [],
    ...more,
  }
  return step
}

export function record(hierarchy: string, path: string, missing = [path]): RecordedCgroup {
  return { hierarchy, path, version: hierarchy === V2 ? 2 : 1, missing }
}

/** Starts a shell that joins the cgroups, does what comes first, and then the rest unwatched. */
export async function startIn(directories: readonly string[], script: string, first = ':') {
  const join = directories.map((directory) => `echo $$ > ${directory}/cgroup.procs && `).join('')
  const child = spawn('sh', ['-c', `${join}${first} && echo ready && ${script}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  return child
}

/** Waits, within a bound, until the child is reaped. */
export async function reap(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    await Promise.race([once(child, 'exit'), new Promise((done) => setTimeout(done, 5000).unref())])
  }
  return child.signalCode ?? child.exitCode
}

export async function waitForText(file: string, text: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (readFileSync(file, 'latin1').includes(text)) return
    await new Promise((done) => setTimeout(done, 10))
  }
  throw new Error(`${file} does not say ${text}`)
}

/** What a test that failed left behind. */
export function cleanUp(cgroups: readonly RecordedCgroup[]): void {
  for (const { hierarchy, path } of cgroups) {
    const frozen = join(hierarchy + path, 'freezer.state')
    if (existsSync(frozen)) writeFileSync(frozen, 'THAWED')
  }
  killCgroups(cgroups)
  removeCgroups(cgroups)
}
