/** What other commands make of state that a crash, a reboot or a bad disk left behind. */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ContainerRecord } from '../../src/state/record.ts'
import { plainConfig, shellHook } from './plain-config.ts'
import {
  closeRig,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  type Rig,
  TSRUNC,
  tsrunc,
  type World,
  whyNot,
} from './rig.ts'

const reason = whyNot()
const ID = 'c'

describe.skipIf(reason !== undefined)(
  `damaged state${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let rig: Rig
    let bundle: string
    let before: World

    beforeAll(() => {
      rig = openRig('damaged')
      bundle = makeBundle(rig, 'bundle', (directory) =>
        plainConfig({
          cgroupsPath: `${rig.name}/c`,
          args: ['/probe', 'sleep', '60'],
          hooks: { poststop: shellHook(`echo poststop >> ${directory}/order`) },
        }),
      )
      expect(tsrunc(rig, 'list').status).toBe(0)
    }, 60_000)
    afterAll(() => closeRig(rig))

    beforeEach(() => {
      before = lookAround(rig)
    })
    afterEach(() => {
      tsrunc(rig, 'delete', '--force', ID)
    })

    function create(): void {
      const created = tsrunc(rig, 'create', '--bundle', bundle, ID)
      expect(created).toEqual({ status: 0, stderr: '' })
    }

    function changeRecord(change: (record: ContainerRecord) => object): void {
      const path = join(rig.root, ID, 'state.json')
      const record = JSON.parse(readFileSync(path, 'utf8')) as ContainerRecord
      writeFileSync(path, JSON.stringify({ ...record, ...change(record) }))
    }

    function list(): { status: number | null; stdout: string; stderr: string } {
      const args = ['--root', rig.root, 'list', '-q']
      const { status, stdout, stderr } = spawnSync(TSRUNC, args, { encoding: 'utf8' })
      return { status, stdout, stderr }
    }

    it.each([
      ['no state.json', undefined],
      ['an empty state.json', ''],
      ['a state.json that is cut short', '{"version":1,"id":"c","ociVersion":"1.'],
      ['a state.json of another shape', '{"version":1,"id":"c"}'],
      ['a state.json of another container', '{"version":1,"id":"d"}'],
      ['a state.json of the future', '{"version":1000}'],
    ])('%s: commands say so, list goes on, delete --force removes it', (_, text) => {
      mkdirSync(join(rig.root, ID), { mode: 0o700 })
      if (text !== undefined) writeFileSync(join(rig.root, ID, 'state.json'), text)
      const words = { kill: [ID, 'KILL'], state: [ID], start: [ID], delete: [ID] }
      for (const [command, args] of Object.entries(words)) {
        const { status, stderr } = tsrunc(rig, command, ...args)
        expect([command, status]).toEqual([command, 1])
        expect(stderr).toMatch(/state of container c is damaged: .*hint: delete --force c removes/)
        expect(stderr.trim().split('\n')).toHaveLength(1)
      }
      const listed = list()
      expect([listed.status, listed.stdout]).toEqual([0, ''])
      expect(listed.stderr).toContain('container c is damaged')
      const removed = tsrunc(rig, 'delete', '--force', ID)
      expect(removed.status).toBe(0)
      expect(removed.stderr).toContain('level=warning')
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it.each([
      ['of another version', { version: 1000 }],
      ['without its hooks', { hooks: 7 }],
    ])('delete --force ends a container whose record is %s', (_, change) => {
      create()
      expect(tsrunc(rig, 'start', ID).status).toBe(0)
      changeRecord(() => change)
      expect(tsrunc(rig, 'delete', '--force', ID).status).toBe(0)
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('a container of another boot is stopped; its pid and its cgroups are left alone', () => {
      create()
      const path = join(rig.root, ID, 'state.json')
      const held = readFileSync(path)
      const { pid } = JSON.parse(held.toString()) as ContainerRecord
      changeRecord(() => ({ bootId: '00000000-0000-4000-8000-000000000000' }))
      expect(tsrunc(rig, 'start', ID).stderr).toContain('cannot start a container that has stopped')
      expect(tsrunc(rig, 'kill', ID, 'KILL').stderr).toContain('container not running')
      expect(tsrunc(rig, 'kill', '--all', ID, 'KILL').status).toBe(0)
      expect(tsrunc(rig, 'delete', ID)).toEqual({ status: 0, stderr: '' })
      expect(isAlive(pid)).toBe(true)
      mkdirSync(join(rig.root, ID), { mode: 0o700 })
      writeFileSync(path, held)
      expect(tsrunc(rig, 'delete', '--force', ID)).toEqual({ status: 0, stderr: '' })
      expect(lookUntilSame(rig, before)).toEqual(before)
    })

    it('a pid that is used again is a stranger: kill refuses, delete spares it', () => {
      create()
      const output = openSync('/dev/null', 'w')
      const stranger = spawn('/bin/sleep', ['60'], { stdio: ['ignore', output, output] })
      closeSync(output)
      try {
        const { pid = 0 } = stranger
        let own = 0
        changeRecord((record) => {
          own = record.pid
          return { pid }
        })
        process.kill(own, 'SIGKILL')
        for (const words of [['start'], ['kill', '--signal', 'KILL']]) {
          const { status, stderr } = tsrunc(rig, ...words, ID)
          expect([status, stderr]).toEqual([1, expect.stringMatching(/stopped|not running/)])
        }
        expect(tsrunc(rig, 'kill', '--all', ID, 'KILL').status).toBe(0)
        expect(tsrunc(rig, 'delete', ID)).toEqual({ status: 0, stderr: '' })
        expect(isAlive(pid)).toBe(true)
      } finally {
        stranger.kill('SIGKILL')
      }
    })
  },
)

function isAlive(pid: number): boolean {
  return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
}
