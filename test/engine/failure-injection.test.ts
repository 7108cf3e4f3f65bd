/**
 * create is made to fail at every step in turn, and killed at every sync point: afterwards the
 * world is as it was, or `delete --force` makes it so.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContainer } from '../../src/engine/create.ts'
import type { CreateInput, FaultPoints } from '../../src/engine/create-input.ts'
import { deleteContainer } from '../../src/engine/delete.ts'
import { openExecutor } from '../../src/engine/execution.ts'
import { startContainer } from '../../src/engine/start.ts'
import { StateError, StepError } from '../../src/errors.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { failAt } from './fail-at.ts'
import { richConfig } from './rich-config.ts'
import {
  closeRig,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  pause,
  prepare,
  type Rig,
  TSRUNC,
  tsrunc,
  whyNot,
} from './rig.ts'

const ID = 'c'
const reason = whyNot()

describe.skipIf(reason !== undefined)(
  `create fails${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    const architecture = hostArchitecture()
    let rig: Rig
    let bundle: string
    let input: CreateInput

    beforeAll(() => {
      rig = openRig('faults')
      bundle = makeBundle(rig, 'b', (directory) =>
        richConfig({ directory, cgroupsPath: `/${rig.name}/c`, args: ['probe', 'sleep', '60'] }),
      )
      input = prepare(rig, bundle, ID)
      // What a process keeps for itself: the sealed executor, the runtime's root.
      openExecutor()
      expect(tsrunc(rig, 'list').status).toBe(0)
    }, 60_000)

    afterAll(() => closeRig(rig))

    function remove(): void {
      const warnings: string[] = []
      removeDamaged((message) => void warnings.push(message))
      expect(warnings).toEqual([])
    }

    /** What a killed runtime left; a warning says what of it was unreadable. */
    function removeDamaged(warn: (message: string) => void = () => {}): void {
      deleteContainer({ rootPath: rig.root, id: ID, force: true, architecture, warn })
    }

    /** The error of create or start; undefined where the fault was never reached. */
    function attempt(faults: FaultPoints, of = input): unknown {
      try {
        closeFd(createContainer({ ...of, faults }).pidfd)
      } catch (error) {
        expect(existsSync(join(rig.root, ID)), 'the state directory').toBe(false)
        return error
      }
      try {
        startContainer(rig.root, ID, architecture)
        return undefined
      } catch (error) {
        return error
      } finally {
        remove()
      }
    }

    it('at no step: the rich container runs, and leaves nothing', () => {
      const before = lookAround(rig)
      expect(attempt({})).toBeUndefined()
      expect(lookUntilSame(rig, before)).toEqual(before)
      const order = readFileSync(join(bundle, 'order'), 'utf8').trim().split('\n')
      expect(order).toEqual([
        'prestart',
        'createRuntime',
        'createContainer',
        'poststart',
        'poststop',
      ])
    })

    it('at each instruction of the program: the error names its field, nothing is left', () => {
      const { program } = input.lowered
      let reached = 0
      for (const [index, instruction] of program.listing.entries()) {
        const label = `${index}: ${instruction.text}`
        const before = lookAround(rig)
        const error = attempt({ program: (whole) => failAt(whole, index) })
        if (error !== undefined) {
          reached++
          // Nobody asks any more when the wait fails: `start` finds that the process is gone, or
          // meets it on its way out.
          const isWait = instruction.op === 'wait'
          const isGone = isWait && error instanceof StateError
          if (!isGone) expect(error, label).toBeInstanceOf(StepError)
          if (!isWait) expect(String(error), label).toContain(instruction.step.origin)
          expect(String(error), label).not.toContain('not all could be undone')
        }
        expect(lookUntilSame(rig, before), label).toEqual(before)
      }
      // The rest stands on branches that this config does not take.
      expect(reached).toBeGreaterThan(program.listing.length * 0.7)
    }, 240_000)

    it('on the way back from the mounts of one without a mount namespace: nothing is left', () => {
      const other = makeBundle(rig, 'unmounted', (directory) => {
        const config = richConfig({ directory, cgroupsPath: `/${rig.name}/c`, args: ['probe'] })
        const namespaces = config.linux?.namespaces?.filter(({ type }) => type !== 'mount') ?? []
        return { ...config, linux: { ...config.linux, rootfsPropagation: 'slave', namespaces } }
      })
      const unmounted = prepare(rig, other, ID)
      const kinds = ['hold-mount-namespace', 'enter-root', 'change-directory', 'execute']
      let reached = 0
      for (const [index, { text, step }] of unmounted.lowered.program.listing.entries()) {
        if (!kinds.includes(step.kind)) continue
        const before = lookAround(rig)
        const error = attempt({ program: (whole) => failAt(whole, index) }, unmounted)
        if (error !== undefined) reached++
        expect(lookUntilSame(rig, before), `${index}: ${text}`).toEqual(before)
      }
      expect(reached).toBeGreaterThan(10)
    }, 60_000)

    it('at each step of the host: the error names its field, nothing is left', () => {
      const total = countHostSteps()
      expect(total).toBeGreaterThan(20)
      for (let wanted = 0; wanted < total; wanted++) {
        const before = lookAround(rig)
        let seen = 0
        let origin = ''
        const error = attempt({
          beforeHostStep: (step) => {
            if (seen++ !== wanted) return
            origin = step.origin
            throw new StepError(step.origin, 'injected')
          },
        })
        expect(String(error), `host step ${wanted}`).toContain('injected')
        expect(String(error)).toContain(origin)
        expect(lookUntilSame(rig, before), `host step ${wanted} (${origin})`).toEqual(before)
      }
    }, 120_000)

    function countHostSteps(): number {
      let count = 0
      attempt({ beforeHostStep: () => void count++ })
      return count
    }

    it('at each answer of the runtime: nothing is left', () => {
      let total = 0
      attempt({ beforeAnswer: () => void total++ })
      expect(total).toBeGreaterThan(5)
      for (let wanted = 0; wanted < total; wanted++) {
        const before = lookAround(rig)
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

    it('by SIGKILL at each sync point: delete --force leaves nothing', () => {
      const script = join(rig.home, 'killed.cjs')
      buildSync({
        entryPoints: ['test/engine/killed-create.ts'],
        outfile: script,
        bundle: true,
        format: 'cjs',
        platform: 'node',
        target: 'node20.19',
        define: {
          KOFFI_LIBRARY: JSON.stringify(join(process.cwd(), 'bin/koffi.node')),
          'import.meta.url': JSON.stringify(`file://${process.cwd()}/bin/killed.cjs`),
        },
      })
      // Not a pipe: a container that was created holds it open.
      const errors = openSync(join(rig.home, 'errors'), 'w+')
      let killed = 0
      for (let point = 0; ; point++) {
        const before = lookAround(rig)
        const child = spawnSync(
          process.execPath,
          [script, rig.home, rig.root, bundle, ID, String(point)],
          { env: {}, timeout: 30_000, stdio: ['ignore', 'ignore', errors] },
        )
        removeDamaged()
        expect(lookUntilSame(rig, before), `point ${point}`).toEqual(before)
        if (child.signal !== 'SIGKILL') {
          expect(child.status, readFileSync(join(rig.home, 'errors'), 'utf8')).toBe(0)
          break
        }
        killed++
      }
      closeSync(errors)
      expect(killed).toBeGreaterThan(25)
    }, 120_000)

    /** The supervisor's Node gets its SIGKILL when the supervisor has got its own. */
    function waitForNode(): void {
      const deadline = Date.now() + 10_000
      while (lookAround(rig).processes.some((line) => line.includes('tsrunc.cjs'))) {
        if (Date.now() > deadline) throw new Error('Node outlives its supervisor')
        pause(2)
      }
    }

    it('by SIGKILL of the command at any time: delete --force leaves nothing', () => {
      for (let delay = 20; delay <= 200; delay += 15) {
        for (const command of ['create', 'run']) {
          const before = lookAround(rig)
          const words = ['--root', rig.root, command, '--bundle', bundle, ID]
          const env = { PATH: '/usr/bin:/bin' }
          const kill = { timeout: delay, killSignal: 'SIGKILL' } as const
          spawnSync(TSRUNC, words, { stdio: 'ignore', env, ...kill })
          waitForNode()
          removeDamaged()
          expect(lookUntilSame(rig, before), `${command}, ${delay} ms`).toEqual(before)
        }
      }
    }, 120_000)
  },
)
