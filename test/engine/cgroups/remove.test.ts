import type { ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findProcesses } from '../../../src/engine/cgroups/processes.ts'
import { findOwnParents, killCgroups, removeCgroups } from '../../../src/engine/cgroups/remove.ts'
import { signalCgroups } from '../../../src/engine/cgroups/signal.ts'
import type { RecordedCgroup } from '../../../src/state/record.ts'
import { readProcess } from '../../../src/sys/proc.ts'
import {
  cleanUp,
  findV1,
  freshPath,
  reap,
  record,
  startIn,
  V2,
  waitForText,
  whyNot,
} from './rig.ts'

const pids = findV1('pids')
const freezer = findV1('freezer')
const why = whyNot({ pids, freezer })
const made: RecordedCgroup[] = []
let path: string

beforeEach(() => {
  path = freshPath()
})

afterEach(() => {
  cleanUp(made.splice(0))
})

function make(hierarchy: string | undefined, below: string): string {
  const directory = (hierarchy ?? '') + below
  mkdirSync(directory, { recursive: true })
  made.unshift(record(hierarchy ?? '', below))
  return directory
}

describe('the parents that go with a cgroup', () => {
  test('are those that were made for it, the deepest first', () => {
    expect(findOwnParents(record('/h', '/a/b/c', ['/a/b', '/a/b/c']))).toEqual(['/a/b'])
    expect(findOwnParents(record('/h', '/a/b/c', ['/a', '/a/b', '/a/b/c']))).toEqual(['/a/b', '/a'])
    expect(findOwnParents(record('/h', '/a', ['/a']))).toEqual([])
  })

  test('include the home of all containers, whoever made it', () => {
    expect(findOwnParents(record('/h', '/tsrunc/c', ['/tsrunc/c']))).toEqual(['/tsrunc'])
    expect(findOwnParents(record('/h', '/tsrunc-other/c', []))).toEqual([])
  })

  test('are never beside it', () => {
    expect(findOwnParents(record('/h', '/a/b', ['/x', '/a/b/c', '/a/bc']))).toEqual([])
  })
})

/**
 * Never on a real hierarchy: if the code under test were wrong, its root would be the whole host.
 * These are directories of files, whose only process is ours.
 */
describe('a damaged record', () => {
  let base: string
  let hierarchy: string
  let child: ChildProcess

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'tsrunc-test-root-'))
    hierarchy = join(base, 'a/b')
    mkdirSync(join(hierarchy, 'empty'), { recursive: true })
    child = await startIn([], 'exec sleep 60')
    for (const directory of [join(base, 'a'), hierarchy]) list(directory, child.pid ?? 0)
  })

  afterEach(async () => {
    child.kill('SIGKILL')
    await reap(child)
    rmSync(base, { recursive: true })
  })

  function list(directory: string, pid: number): void {
    writeFileSync(join(directory, 'cgroup.procs'), `${pid}\n`)
  }

  test.each(['/', '', '//', '/..', '/empty/../..', '/./'])(
    'with the path %j kills nobody and removes nothing',
    (wrong) => {
      const cgroups = [record(hierarchy, wrong)]
      killCgroups(cgroups)
      signalCgroups(cgroups, 15)
      removeCgroups(cgroups, 50)
      expect(readProcess(child.pid ?? 0)?.state).toMatch(/^[RSD]$/)
      expect(existsSync(join(hierarchy, 'empty'))).toBe(true)
    },
  )

  test.each([process.pid, 1])('that names the cgroup of pid %i kills nobody there', (pid) => {
    mkdirSync(join(hierarchy, 'c/below'), { recursive: true })
    list(join(hierarchy, 'c'), child.pid ?? 0)
    list(join(hierarchy, 'c/below'), pid)
    const cgroups = [record(hierarchy, '/c')]
    // Signal 0: if the code were wrong, nobody would be hurt.
    expect(() => signalCgroups(cgroups, 0)).toThrow(`process ${pid} is in the container's cgroup`)
  })
})

describe.skipIf(why !== '')(`removal${why}`, () => {
  test('takes what the container made below, and the parents that are ours', () => {
    const hierarchy = pids ?? ''
    make(hierarchy, `${path}/c/x/y`)
    mkdirSync(`${hierarchy + path}/c/z`)
    const cgroup = record(hierarchy, `${path}/c`, [path, `${path}/c`])
    removeCgroups([cgroup])
    expect(existsSync(hierarchy + path)).toBe(false)
    removeCgroups([cgroup])
  })

  test('takes what has a name that is not UTF-8, and a path longer than PATH_MAX', async () => {
    const hierarchy = freezer ?? ''
    make(hierarchy, path)
    const bytes = '$(printf "x\\377")'
    const deep = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do mkdir $n; cd $n; done'
    const hide = `n=${bytes}${'y'.repeat(250)}; ${deep}; echo $$ > cgroup.procs`
    const child = await startIn([], 'sleep 100; :', `cd ${hierarchy + path} && { ${hide}; }`)
    const ended = reap(child)
    expect(findProcesses([hierarchy + path])).toContain(child.pid)
    killCgroups([record(hierarchy, path)])
    expect(await ended).toBe('SIGKILL')
    removeCgroups([record(hierarchy, path)])
    expect(existsSync(hierarchy + path)).toBe(false)
  })

  test('waits once for all that is busy', async () => {
    const hierarchy = pids ?? ''
    const directories = ['/a', '/b', '/c'].map((name) => make(hierarchy, path + name))
    const children = await Promise.all(directories.map((at) => startIn([at], 'sleep 100; :')))
    const before = performance.now()
    const recorded = ['/a', '/b', '/c'].map((name) => record(hierarchy, path + name))
    expect(() => removeCgroups(recorded, 300)).toThrow('EBUSY')
    expect(performance.now() - before).toBeLessThan(800)
    killCgroups(recorded)
    await Promise.all(children.map(reap))
    make(hierarchy, path)
  })

  test('leaves a parent that another container lives in, and one that is not ours', () => {
    const hierarchy = pids ?? ''
    make(hierarchy, path)
    make(hierarchy, `${path}/other`)
    make(hierarchy, `${path}/c`)
    removeCgroups([record(hierarchy, `${path}/c`, [path, `${path}/c`])])
    expect(existsSync(`${hierarchy + path}/other`)).toBe(true)
    removeCgroups([record(hierarchy, `${path}/other`, [`${path}/other`])])
    expect(existsSync(hierarchy + path)).toBe(true)
  })

  test('waits for a cgroup that is busy', async () => {
    const directory = make(pids, path)
    const child = await startIn([directory], 'exec sleep 0.3')
    removeCgroups([record(pids ?? '', path)])
    expect(existsSync(directory)).toBe(false)
    expect(await reap(child)).toBe(0)
  })

  test('goes on with the others when one stays busy, and then says which', async () => {
    const busy = make(pids, path)
    const idle = make(freezer, path)
    const child = await startIn([busy], 'exec sleep 60')
    const cgroups = [record(pids ?? '', path), record(freezer ?? '', path)]
    expect(() => removeCgroups(cgroups, 100)).toThrow(`rmdir("${busy}"): EBUSY (hint: `)
    expect(existsSync(idle)).toBe(false)
    child.kill('SIGKILL')
    await reap(child)
  })
})

describe.skipIf(why !== '')(`killing${why}`, () => {
  test('ends everybody, also below', async () => {
    const directory = make(pids, path)
    const below = make(pids, `${path}/below`)
    const children = [await startIn([directory], 'sleep 60'), await startIn([below], 'sleep 60')]
    expect(findProcesses([directory]).length).toBeGreaterThanOrEqual(2)
    killCgroups([record(pids ?? '', path)])
    expect(findProcesses([directory])).toEqual([])
    for (const child of children) expect(await reap(child)).toBe('SIGKILL')
  })

  test('ends nobody beside the cgroup', async () => {
    const beside = await startIn([make(pids, `${path}-beside`)], 'exec sleep 60')
    make(pids, path)
    killCgroups([record(pids ?? '', path)])
    expect(beside.exitCode ?? beside.signalCode).toBeNull()
    expect(findProcesses([`${pids}${path}-beside`])).toEqual([beside.pid])
    beside.kill('SIGKILL')
    await reap(beside)
  })

  test('ends who is frozen, in the cgroup or in one below it', async () => {
    const directory = make(freezer, path)
    const below = make(freezer, `${path}/below`)
    const child = await startIn([below], 'exec sleep 60')
    for (const frozen of [below, directory]) {
      writeFileSync(`${frozen}/freezer.state`, 'FROZEN')
      await waitForText(`${frozen}/freezer.state`, 'FROZEN')
    }
    killCgroups([record(freezer ?? '', path)])
    expect(await reap(child)).toBe('SIGKILL')
    expect(readFileSync(`${below}/freezer.state`, 'latin1')).toBe('THAWED\n')
  })

  test('ends who forks all the time', async () => {
    const directories = [make(pids, path), make(freezer, path)]
    writeFileSync(`${pids}${path}/pids.max`, '60')
    const forks = 'f() { while :; do (sleep 0.01; f) & sleep 0.005; done; }; f 2>/dev/null'
    const child = await startIn(directories, forks)
    await new Promise((done) => setTimeout(done, 300))
    const cgroups = [record(pids ?? '', path), record(freezer ?? '', path)]
    killCgroups(cgroups)
    expect(findProcesses(directories)).toEqual([])
    await reap(child)
    removeCgroups(cgroups)
  })

  test('of hundreds takes less than a second or two', async () => {
    const directory = make(pids, path)
    const many = 'i=0; while [ $i -lt 500 ]; do sleep 60 & i=$((i+1)); done; echo; wait'
    const child = await startIn([directory], many)
    for (let i = 0; i < 300 && findProcesses([directory]).length < 501; i++) {
      await new Promise((done) => setTimeout(done, 20))
    }
    expect(findProcesses([directory]).length).toBe(501)
    const begin = Date.now()
    killCgroups([record(pids ?? '', path)])
    expect(Date.now() - begin).toBeLessThan(2500)
    await reap(child)
  })

  test.skipIf(V2 === undefined)(
    'in v2 needs one write (skipped without a v2 hierarchy)',
    async () => {
      const directory = make(V2, path)
      const child = await startIn([directory], 'sleep 60')
      const cgroups = [record(V2 ?? '', path)]
      killCgroups(cgroups)
      expect(await reap(child)).toBe('SIGKILL')
      removeCgroups(cgroups)
      expect(existsSync(directory)).toBe(false)
    },
  )
})

describe.skipIf(why !== '')(`a signal to all${why}`, () => {
  test('reaches each process once, and no other', async () => {
    const directory = make(pids, path)
    const count = "trap 'n=$((n+1))' USR1; n=0; i=0"
    const loop = 'while [ $i -lt 30 ]; do sleep 0.01; i=$((i+1)); done; exit $n'
    const child = await startIn([directory], loop, count)
    signalCgroups([record(pids ?? '', path)], 10)
    expect(await reap(child)).toBe(1)
    expect(() => signalCgroups([record(pids ?? '', path)], 10)).not.toThrow()
    rmdirSync(directory)
    expect(() => signalCgroups([record(pids ?? '', path)], 10)).not.toThrow()
  })
})
