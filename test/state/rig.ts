/** A root directory of its own for each test, and records to put into it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type ContainerRecord, emptyRecord } from '../../src/state/record.ts'
import { readBootId, readProcess } from '../../src/sys/proc.ts'

const directories: string[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) await endProcess(child)
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-state-'))
  directories.push(directory)
  return directory
}

/** A process that lives until the end of the test. */
export function startProcess(): ChildProcess & { readonly pid: number } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  children.push(child)
  const { pid } = child
  if (pid === undefined) throw new Error('sleep does not start')
  return Object.assign(child, { pid })
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

/** The record of a created container whose process is that pid. */
export function recordOf(id: string, pid: number): ContainerRecord {
  return {
    ...emptyRecord(id),
    ociVersion: '1.3.0',
    bundle: '/bundle',
    rootfs: '/bundle/rootfs',
    created: '2026-01-02T03:04:05.000000006Z',
    annotations: { purpose: 'test' },
    creating: false,
    pid,
    startTime: readProcess(pid)?.startTime ?? '',
    bootId: readBootId(),
    lane: 1,
    executeIndex: 9,
  }
}
