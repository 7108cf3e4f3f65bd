/** A foreground `run` whose processes are killed, and one that others delete: nothing is left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Spec } from '../../src/config/spec.ts'
import { childrenOf } from '../children.ts'
import { plainConfig, shellHook } from './plain-config.ts'
import {
  closeRig,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  type Rig,
  readState,
  TSRUNC,
  tsrunc,
  type World,
  waitUntil,
  whyNot,
} from './rig.ts'

const reason = whyNot()
const ID = 'c'

/** Node: what the container makes falls to the front later. */
function firstChildOf(pid: number): number {
  const [child] = childrenOf(pid)
  if (child === undefined) throw new Error(`${pid} has no child`)
  return child.pid
}

describe.skipIf(reason !== undefined)(
  `a foreground run${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let rig: Rig
    let bundles = 0
    let before: World
    let front: ChildProcess | undefined

    beforeAll(() => {
      rig = openRig('supervised')
      expect(tsrunc(rig, 'list').status).toBe(0)
    }, 60_000)
    afterAll(() => closeRig(rig))

    beforeEach(() => {
      front = undefined
    })
    afterEach(() => {
      front?.kill('SIGKILL')
      tsrunc(rig, 'delete', '--force', ID)
    })

    /** `run` in the background of a container that sleeps; its end as a promise. */
    function run(hooks: (directory: string) => NonNullable<Spec['hooks']> = () => ({})) {
      const bundle = makeBundle(rig, `bundle-${++bundles}`, (directory) =>
        plainConfig({
          cgroupsPath: `${rig.name}/c`,
          args: ['/probe', 'sleep', '60'],
          hooks: hooks(directory),
        }),
      )
      writeFileSync(join(bundle, 'mark'), '')
      before = lookAround(rig)
      const child = spawn(TSRUNC, ['--root', rig.root, 'run', '--bundle', bundle, ID], {
        stdio: 'ignore',
        env: {},
      })
      front = child
      const end = new Promise<number | NodeJS.Signals | null>((settle) =>
        child.on('exit', (status, signal) => settle(signal ?? status)),
      )
      return { bundle, pid: child.pid ?? 0, end }
    }

    async function untilItRuns(): Promise<void> {
      const record = join(rig.root, ID, 'state.json')
      await waitUntil('the container', () => existsSync(record) && isRunning())
    }

    function isRunning(): boolean {
      return readState(rig, ID).status === 'running'
    }

    function marksOf(bundle: string): string[] {
      return readFileSync(join(bundle, 'mark'), 'utf8').split('\n').filter(Boolean)
    }

    it('whose front is killed stays, and delete --force ends it', async () => {
      const { pid, end } = run()
      await untilItRuns()
      process.kill(pid, 'SIGKILL')
      expect(await end).toBe('SIGKILL')
      expect(readState(rig, ID).status).toBe('running')
      expect(tsrunc(rig, 'delete', '--force', ID)).toEqual({ status: 0, stderr: '' })
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('whose Node is killed in the middle of create is undone by the front', async () => {
      const { bundle, pid, end } = run((directory) => ({
        createRuntime: shellHook(`echo hook >> ${directory}/mark; sleep 0.5`),
      }))
      await waitUntil('the hook', () => marksOf(bundle).length > 0)
      process.kill(firstChildOf(pid), 'SIGKILL')
      expect(await end).toBe(128 + 9)
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('whose Node is killed while the program starts is undone by the front', async () => {
      const { bundle, pid, end } = run((directory) => ({
        poststart: shellHook(`echo hook >> ${directory}/mark; sleep 0.5`),
      }))
      await waitUntil('the hook', () => marksOf(bundle).length > 0)
      process.kill(firstChildOf(pid), 'SIGKILL')
      expect(await end).toBe(128 + 9)
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('that is deleted by another runs its poststop hooks once', async () => {
      for (let round = 0; round < 5; round++) {
        const { bundle, end } = run((directory) => ({
          poststop: shellHook(`echo hook >> ${directory}/mark`),
        }))
        await untilItRuns()
        expect(tsrunc(rig, 'delete', '--force', ID)).toEqual({ status: 0, stderr: '' })
        expect(await end).toBe(128 + 9)
        expect(marksOf(bundle), `round ${round}`).toEqual(['hook'])
        expect(lookUntilSame(rig, before)).toEqual(before)
      }
    })

    it('with a failing poststop hook runs every hook once, and is gone', async () => {
      const { bundle, end } = run((directory) => ({
        poststop: [1, 2, 3].flatMap((n) =>
          shellHook(`echo ${n} >> ${directory}/mark; exit ${n === 2 ? 1 : 0}`),
        ),
      }))
      await untilItRuns()
      expect(tsrunc(rig, 'kill', ID, 'KILL')).toEqual({ status: 0, stderr: '' })
      expect(await end).toBe(128 + 9)
      expect(marksOf(bundle)).toEqual(['1', '2', '3'])
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('that is stopped late does not tear down the next container of its name', async () => {
      const { pid, end } = run()
      await untilItRuns()
      process.kill(pid, 'SIGSTOP')
      expect(tsrunc(rig, 'delete', '--force', ID)).toEqual({ status: 0, stderr: '' })
      const bundle = join(rig.home, `bundle-${bundles}`)
      expect(tsrunc(rig, 'create', '--bundle', bundle, ID)).toEqual({ status: 0, stderr: '' })
      process.kill(pid, 'SIGCONT')
      expect(await end).toBe(128 + 9)
      expect(readState(rig, ID).status).toBe('created')
      expect(tsrunc(rig, 'delete', ID)).toEqual({ status: 0, stderr: '' })
      expect(lookUntilSame(rig, before)).toEqual(before)
    })
  },
)
