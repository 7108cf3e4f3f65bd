/** exec is made to fail at every step in turn: nothing is left of it, and the container runs on. */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareExec } from '../../src/cli/prepare-exec.ts'
import { type ExecFaults, execProcess } from '../../src/engine/exec.ts'
import { type ExecTarget, openExecTarget } from '../../src/engine/exec-target.ts'
import { openExecutor } from '../../src/engine/execution.ts'
import { SpecError, StepError } from '../../src/errors.ts'
import type { ExecOptions } from '../../src/host/facts.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { failAt } from './fail-at.ts'
import { richConfig } from './rich-config.ts'
import {
  closeRig,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  type Rig,
  readRequest,
  readState,
  tsrunc,
  whyNot,
} from './rig.ts'

const ID = 'c'
const reason = whyNot()

describe.skipIf(reason !== undefined)(`exec fails${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const architecture = hostArchitecture()
  let rig: Rig
  let target: ExecTarget

  beforeAll(() => {
    rig = openRig('exec-faults')
    const args = ['probe', 'sleep', '1000']
    const bundle = makeBundle(rig, 'b', (directory) =>
      richConfig({ directory, cgroupsPath: `/${rig.name}/c`, args }),
    )
    expect(tsrunc(rig, 'run', '--detach', '--bundle', bundle, ID)).toMatchObject({ status: 0 })
    target = openExecTarget(rig.root, ID, false)
    // What this process keeps for itself.
    openExecutor()
  }, 60_000)

  afterAll(() => {
    target[Symbol.dispose]()
    closeRig(rig)
  })

  function prepare(pidFile?: string) {
    const own = target.config.spec.process
    const options: ExecOptions = {
      id: ID,
      bundle: '/',
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      systemdCgroup: false,
      listenFds: 0,
      detach: true,
      subCgroups: new Map(),
    }
    const process = { ...own, args: ['probe', 'vanish', '0'] }
    const refuse = () => new SpecError('', [])
    const { lowered } = prepareExec(target, process, options, readRequest(), refuse)
    return { target, options, lowered, architecture, descriptors: [], ...(pidFile && { pidFile }) }
  }

  function attempt(faults: ExecFaults, pidFile?: string): unknown {
    try {
      execProcess({ ...prepare(pidFile), faults })
      return undefined
    } catch (error) {
      return error
    }
  }

  it('at no step: it runs, and leaves nothing', () => {
    const before = lookAround(rig)
    const pidFile = join(rig.home, 'pid')
    expect(attempt({}, pidFile)).toBeUndefined()
    expect(readFileSync(pidFile, 'utf8')).toMatch(/^\d+$/)
    expect(
      lookUntilSame(rig, { ...before, files: [...before.files, pidFile].toSorted() }),
    ).toMatchObject({ processes: before.processes, descriptors: before.descriptors })
  })

  it('at each instruction: the error names its field, nothing is left', () => {
    const { program } = prepare().lowered
    const before = lookAround(rig)
    // What only tells of a failure is reached by none, and of the same calls the first will do.
    const worth = [...program.listing.entries()].filter(
      ([index, { op, step, syscall }]) =>
        op !== 'fail' && !(syscall === 'prctl' && program.listing[index - 1]?.step === step),
    )
    let reached = 0
    for (const [index, instruction] of worth) {
      const label = `${index}: ${instruction.text}`
      const error = attempt({ program: (whole) => failAt(whole, index) })
      if (error !== undefined) {
        reached++
        expect(error, label).toBeInstanceOf(StepError)
        expect(String(error), label).toContain(instruction.step.origin)
      }
      expect(lookUntilSame(rig, before), label).toEqual(before)
    }
    expect(readState(rig, ID).status).toBe('running')
    // The rest stands on branches that this config does not take.
    expect(reached).toBeGreaterThan(worth.length * 0.6)
  }, 120_000)

  it('at each answer of the runtime: nothing is left', () => {
    const before = lookAround(rig)
    let total = 0
    expect(attempt({ beforeAnswer: () => void total++ })).toBeUndefined()
    // Into the cgroups, the birth, HOME, the executable.
    expect(total).toBe(4)
    for (let wanted = 0; wanted < total; wanted++) {
      let seen = 0
      const error = attempt({
        beforeAnswer: () => {
          if (seen++ === wanted) throw new Error('injected')
        },
      })
      expect(String(error)).toContain('injected')
      expect(lookUntilSame(rig, before), `answer ${wanted}`).toEqual(before)
    }
  }, 60_000)

  it('at its pid file: the process never runs', () => {
    const before = lookAround(rig)
    let met = 0
    const error = attempt({ beforeAnswer: () => void met++ }, join(rig.home, 'no/such/pid'))
    expect(String(error)).toMatch(/--pid-file: open\(.*ENOENT/)
    expect(met).toBe(0)
    expect(lookUntilSame(rig, before)).toEqual(before)
  })

  it('at telling of it: the process, which runs already, is killed', () => {
    const before = lookAround(rig)
    const pidFile = join(rig.home, 'taken')
    mkdirSync(pidFile)
    const error = attempt({}, pidFile)
    rmdirSync(pidFile)
    expect(String(error)).toMatch(/--pid-file: rename\(.*EISDIR/)
    expect(lookUntilSame(rig, before)).toEqual(before)
  })
})
