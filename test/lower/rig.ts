/** Runs the lowered form of hand-written steps on the real kernel, in namespaces of its own. */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { buildExecutor } from '../../native-shims/build.ts'
import type { Program } from '../../src/lower/assembler.ts'
import { explainFail } from '../../src/lower/fail-codes.ts'
import { LANE, LANE_SIZE, LANE_STATE, LANES, STATUS_SIZE } from '../../src/lower/instruction-set.ts'
import { lowerCreate } from '../../src/lower/lower.ts'
import type { BindMount, Step } from '../../src/plan/steps.ts'
import { errnoName } from '../../src/sys/errno.ts'
import { existsOnHost } from './needs.ts'

const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'
let directory: string | undefined
let executor: string | undefined

export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  /** Why a process of the program failed: `call: ERRNO`, or its reason. */
  readonly failure: string | undefined
}

/** A fresh directory; all of them are removed in the end. */
export function makeDirectory(name: string): string {
  directory ??= mkdtempSync(join(tmpdir(), 'tsrunc-test-lower-'))
  const path = join(directory, name)
  mkdirSync(path, { recursive: true })
  return path
}

afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true })
  directory = undefined
})

/** The executor of these sources. */
export function buildOnce(): string {
  if (executor === undefined) {
    const built = makeDirectory('executor')
    buildExecutor(built)
    executor = join(built, 'tsrunc-executor')
  }
  return executor
}

export function runProgram(
  program: Program,
  stdio: readonly ['ignore' | number, 'pipe', 'pipe'],
): Outcome {
  const work = makeDirectory('run')
  const status = join(work, 'status')
  writeFileSync(join(work, 'program'), program.bytes)
  writeFileSync(status, new Uint8Array(STATUS_SIZE))
  const fds = [openSync(join(work, 'program'), 'r'), openSync(status, 'r+')] as const
  try {
    const result = spawnSync(buildOnce(), [], {
      stdio: [...stdio, fds[0], 'pipe', fds[1]],
      encoding: 'utf8',
      timeout: 20_000,
      env: {},
    })
    if (result.error !== undefined) throw result.error
    const { stdout, stderr } = result
    return { stdout, stderr, failure: describeFailure(readFileSync(status), program) }
  } finally {
    fds.forEach(closeSync)
  }
}

/** The first lane that failed, in words. */
export function describeFailure(page: Buffer, program: Program): string | undefined {
  for (let lane = 0; lane < LANES; lane++) {
    const row = page.subarray(lane * LANE_SIZE)
    const state = row.readUInt32LE(LANE.state)
    if (state === LANE_STATE.rejected) return 'rejected'
    if (state !== LANE_STATE.failed) continue
    const { op, reason, text } = program.listing[row.readUInt32LE(LANE.next) - 1] ?? {}
    const errno = row.readInt32LE(LANE.errno)
    if (op !== 'fail') return `${text}: ${errnoName(errno)}`
    return [reason, explainFail(row.readUInt32LE(LANE.code), errno)].filter(Boolean).join(': ')
  }
  return undefined
}

const AT = { origin: '/test' } as const

/** The host's programs below a root, so that a shell runs there. */
function bindHost(path: string): BindMount {
  return {
    ...AT,
    kind: 'bind-mount',
    phase: 'mounts',
    source: path,
    sourceKind: 'directory',
    destination: path,
    recursive: false,
    attributes: { set: ['rdonly'], clear: [] },
    recursiveAttributes: { set: [], clear: [] },
    propagation: [{ propagation: 'private', recursive: true }],
  }
}

export interface Shell {
  readonly root: string
  /** Before the root is entered, and after it. */
  readonly before?: readonly Step[]
  readonly after?: readonly Step[]
  readonly script: string
  readonly method?: 'pivot' | 'move'
  readonly shared?: boolean
}

/** A shell in a root of the host's programs, in its own mount, uts, ipc and network namespaces. */
export function planShell(shell: Shell): Step[] {
  const { root, before = [], after = [], script, method = 'pivot', shared = false } = shell
  const propagation = shared ? 'shared' : 'slave'
  const system = ['/usr', '/bin', '/lib', '/lib64'].filter(existsOnHost)
  const namespaces = ['mount', 'uts', 'ipc', 'network', 'pid'] as const
  const args = ['sh', '-c', script]
  return [
    { ...AT, kind: 'clone-init', phase: 'clone', namespaces },
    {
      ...AT,
      kind: 'set-propagation',
      phase: 'rootfs',
      change: { propagation, recursive: true },
    },
    { ...AT, kind: 'bind-rootfs', phase: 'rootfs', path: root, privateParent: shared },
    ...system.map(bindHost),
    ...before,
    {
      ...AT,
      kind: 'enter-root',
      phase: 'enter-root',
      method,
      ...(shared && { propagation: { propagation: 'shared', recursive: true } }),
    },
    ...after,
    {
      ...AT,
      kind: 'find-executable',
      phase: 'executable',
      name: 'sh',
      candidates: ['/nowhere/sh', '/bin/sh'],
    },
    { ...AT, kind: 'execute', phase: 'execute', args, env: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin'] },
  ]
}

export function runSteps(steps: readonly Step[]): Outcome {
  const { program } = lowerCreate({ warnings: [], steps }, { architecture, bundle: '/' })
  return runProgram(program, ['ignore', 'pipe', 'pipe'])
}

export function runShell(shell: Shell): Outcome {
  return runSteps(planShell(shell))
}
