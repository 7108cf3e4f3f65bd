/** Once for all container tests: the probe and the terminal are compiled. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  return () => {
    rmSync(directory, { recursive: true })
    terminal.remove()
  }
}
