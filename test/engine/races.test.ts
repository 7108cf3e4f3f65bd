/** Commands that meet over one container: one of them wins, and the other says why it did not. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContainer } from '../../src/engine/create.ts'
import { deleteContainer } from '../../src/engine/delete.ts'
import { openExecutor } from '../../src/engine/execution.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { plainConfig } from './plain-config.ts'
import {
  closeRig,
  findCgroups,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  prepare,
  type Rig,
  readState,
  spawnTsrunc,
  tsrunc,
  type World,
  whyNot,
} from './rig.ts'

const reason = whyNot()
const ROUNDS = 4

describe.skipIf(reason !== undefined)(`races${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const architecture = hostArchitecture()
  let rig: Rig
  let bundle: string
  let before: World

  beforeAll(() => {
    rig = openRig('races')
    bundle = makeBundle(rig, 'sleeper', () =>
      plainConfig({ cgroupsPath: `${rig.name}/sleeper`, args: ['/probe', 'sleep', '60'] }),
    )
    openExecutor()
    expect(tsrunc(rig, 'list').status).toBe(0)
    before = lookAround(rig)
  }, 60_000)

  afterAll(() => closeRig(rig))

  function expectNothingLeft(label = ''): void {
    expect(lookUntilSame(rig, before), label).toEqual(before)
  }

  function remove(id: string): void {
    const warn = (message: string) => expect(message).toBe('')
    deleteContainer({ rootPath: rig.root, id, force: true, architecture, warn })
  }

  /** Both commands at once; what became of each. */
  async function race(id: string, ...commands: string[][]) {
    return await Promise.all(commands.map((words) => spawnTsrunc(rig, ...words, id)))
  }

  function makeOne(id: string): number {
    const { record, pidfd } = createContainer(prepare(rig, bundle, id))
    closeFd(pidfd)
    return record.pid
  }

  it('of two creates of one id one wins, and the other destroys nothing of it', async () => {
    const create = ['create', '--bundle', bundle]
    for (let round = 0; round < ROUNDS; round++) {
      const results = await race('twice', create, create, create)
      expect(results.map(({ status }) => status).toSorted()).toEqual([0, 1, 1])
      for (const { stderr, status } of results) {
        if (status === 1) expect(stderr).toContain('container with given ID already exists')
      }
      const { status, pid } = readState(rig, 'twice')
      expect(status).toBe('created')
      const cgroups = findCgroups(rig.name).filter((path) => path.endsWith('/sleeper'))
      for (const path of cgroups) {
        expect(readFileSync(join(path, 'cgroup.procs'), 'utf8')).toBe(`${pid}\n`)
      }
      expect(tsrunc(rig, 'start', 'twice')).toEqual({ status: 0, stderr: '' })
      remove('twice')
      expectNothingLeft(`round ${round}`)
    }
  }, 30_000)

  it('of two starts one wins, and the program runs once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      makeOne('started')
      const results = await race('started', ['start'], ['start'])
      expect(results.map(({ status }) => status).toSorted()).toEqual([0, 1])
      expect(results.map(({ stderr }) => stderr).join('')).toContain(
        'cannot start an already running container',
      )
      expect(readState(rig, 'started').status).toBe('running')
      remove('started')
      expectNothingLeft(`round ${round}`)
    }
  }, 30_000)

  it.each([
    ['start', 'delete'],
    ['start', 'delete --force'],
    ['start', 'kill KILL'],
    ['kill TERM', 'delete'],
    ['delete', 'delete'],
    ['delete --force', 'delete --force'],
    ['state', 'delete --force'],
  ])(
    '%s and %s at once: each succeeds or says why',
    async (first, second) => {
      for (let round = 0; round < ROUNDS; round++) {
        const id = 'contested'
        makeOne(id)
        const results = await Promise.all(
          [first, second].map((command) => {
            const [word = '', argument] = command.split(' ')
            if (argument === undefined) return spawnTsrunc(rig, word, id)
            return argument.startsWith('-')
              ? spawnTsrunc(rig, word, argument, id)
              : spawnTsrunc(rig, word, id, argument)
          }),
        )
        for (const { status, stderr } of results) {
          expect(status === 0 ? stderr : '').toBe('')
          if (status !== 0) expect(stderr).toMatch(CLEAN)
        }
        expect(results.some(({ status }) => status === 0)).toBe(true)
        remove(id)
        expectNothingLeft(`round ${round}`)
      }
    },
    30_000,
  )

  it('an id that is deleted twice and made again is whole, or is not there', async () => {
    const remake = ['create', '--bundle', bundle]
    for (let round = 0; round < ROUNDS; round++) {
      makeOne('again')
      const force = ['delete', '--force']
      const [, , made] = await race('again', force, force, remake)
      if (made?.status === 0 && existsSync(join(rig.root, 'again'))) {
        expect(readState(rig, 'again').status).toBe('created')
      } else if (made?.status !== 0) expect(made?.stderr).toMatch(CLEAN)
      remove('again')
      expectNothingLeft(`round ${round}`)
    }
  }, 30_000)
})

/** What a command says that came too late. */
const CLEAN =
  /^time="[^"]+" level=error msg="\S+ \S+: (container does not exist: \S+|container not running|cannot start a container that has stopped|cannot delete container \S+ that is not stopped: \S+|the container('s process)? was (ended|killed) .*|container with given ID already exists: \S+|deleted while it was created)"\n$/
