/** Once for all container tests: the probe and the terminal are compiled. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { buildTerminal } from '../terminal.ts'

declare module 'vitest' {
  interface ProvidedContext {
    probe: string
    terminal: string
  }
}

export default function setup(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-probe-'))
  const probe = join(directory, 'probe')
  const flags = ['-static', '-O2', '-Wall', '-Wextra', '-Werror', '-o', probe]
  execFileSync('cc', [...flags, join(import.meta.dirname, 'probe.c')], { stdio: 'inherit' })
  project.provide('probe', probe)
  const terminal = buildTerminal()
  project.provide('terminal', terminal.path)
  const planner = process.env.TSRUNC_TEST_RESIDENT === '1' ? startResidentPlanner() : undefined
  return () => {
    planner?.kill()
    rmSync(directory, { recursive: true })
    terminal.remove()
  }
}

/** Whatever comes before it is ready does without. */
function startResidentPlanner(): ChildProcess {
  return spawn(resolve('bin/tsrunc'), ['serve', '--workers', '3'], { stdio: 'inherit', env: {} })
}
