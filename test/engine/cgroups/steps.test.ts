import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  checkUnused,
  directoriesOf,
  findMissing,
  joinCgroup,
  makeCgroup,
  ownCgroup,
  writeCgroupFile,
} from '../../../src/engine/cgroups/steps.ts'
import type { WriteCgroupFile } from '../../../src/plan/steps.ts'
import type { RecordedCgroup } from '../../../src/state/record.ts'
import { cleanUp, findV1, freshPath, makeStep, reap, record, startIn, V2, whyNot } from './rig.ts'

const pids = findV1('pids')
const cpuset = findV1('cpuset')
const made: RecordedCgroup[] = []
let path: string

beforeEach(() => {
  path = freshPath()
})

afterEach(() => {
  cleanUp(made.splice(0))
})

function remember(hierarchy: string, below: string, missing?: string[]): void {
  made.push(record(hierarchy, below, missing))
}

test('the directories of a path are its prefixes', () => {
  expect(directoriesOf('/a/b/c')).toEqual(['/a', '/a/b', '/a/b/c'])
  expect(directoriesOf('/')).toEqual([])
})

const withoutPids = whyNot({ pids })
describe.skipIf(withoutPids !== '')(`a cgroup${withoutPids}`, () => {
  const hierarchy = pids ?? ''

  test('is made with its parents, and only what was missing is told', () => {
    const step = makeStep(hierarchy, `${path}/a/b`)
    mkdirSync(hierarchy + path)
    expect(findMissing(step)).toEqual([`${path}/a`, `${path}/a/b`])
    remember(hierarchy, `${path}/a/b`, [path, `${path}/a`])
    makeCgroup(step)
    expect(existsSync(`${hierarchy + path}/a/b/cgroup.procs`)).toBe(true)
    makeCgroup(step)
    expect(findMissing(step)).toEqual([])
  })

  test('is made although others remove its parent all the time', async () => {
    const step = makeStep(hierarchy, `${path}/a`)
    remember(hierarchy, `${path}/a`, [path])
    const child = await startIn([], `while :; do rmdir ${hierarchy + path}; done 2>/dev/null`)
    try {
      for (let i = 0; i < 200; i++) {
        makeCgroup(step)
        rmdirSync(hierarchy + step.path)
      }
    } finally {
      child.kill('SIGKILL')
      await reap(child)
    }
  })

  test('that cannot be made is an error with call and errno', () => {
    const file = `${hierarchy}/cgroup.procs`
    expect(() => makeCgroup(makeStep(file, '/a'))).toThrow(/^mkdir\(".*"\): ENOTDIR/)
    expect(() => makeCgroup(makeStep('/no/such/hierarchy', '/a'))).toThrow(/^mkdir.*ENOENT/)
  })

  test('takes a process, and is then not for another container', async () => {
    const step = makeStep(hierarchy, path)
    remember(hierarchy, path)
    expect(() => checkUnused(step)).not.toThrow()
    makeCgroup(step)
    expect(() => checkUnused(step)).not.toThrow()
    const child = await startIn([], 'exec sleep 60')
    joinCgroup(
      { kind: 'join-cgroup', phase: 'process', origin: '', hierarchy, path },
      child.pid ?? 0,
    )
    expect(readFileSync(`${hierarchy + path}/cgroup.procs`, 'latin1')).toBe(`${child.pid}\n`)
    expect(() => checkUnused(step)).toThrow(
      `/linux/cgroupsPath: container's cgroup is not empty: 1 process(es) found in ${hierarchy + path}`,
    )
    child.kill('SIGKILL')
    await reap(child)
  })

  test('that is gone takes no process, and says so', () => {
    const step = { kind: 'join-cgroup', phase: 'process', origin: '', hierarchy, path } as const
    expect(() => joinCgroup(step, process.pid)).toThrow(/cgroup\.procs", "\d+"\): ENOENT/)
  })
})

describe.skipIf(withoutPids !== '')(`a value${withoutPids}`, () => {
  const hierarchy = pids ?? ''

  function write(file: string, value: string, more: Partial<WriteCgroupFile> = {}): void {
    const step = { kind: 'write-cgroup-file', phase: 'cgroup', origin: '' } as const
    writeCgroupFile({ ...step, hierarchy, path, file, value, ...more })
  }

  function read(file: string): string {
    return readFileSync(join(hierarchy + path, file), 'latin1').trim()
  }

  beforeEach(() => {
    remember(hierarchy, path)
    makeCgroup(makeStep(hierarchy, path))
  })

  test('is written', () => {
    write('pids.max', '17')
    expect(read('pids.max')).toBe('17')
  })

  test('that the kernel refuses is an error with the call, the errno and a hint', () => {
    expect(() => write('pids.max', 'many')).toThrow(
      `write("${hierarchy + path}/pids.max", "many"): EINVAL (hint: the kernel does not take this value)`,
    )
  })

  test('is not skipped when its path says ENOENT and the errno does not', () => {
    const odd = `${path}/ENOENT`
    made.unshift(record(hierarchy, odd, []))
    makeCgroup(makeStep(hierarchy, odd))
    expect(() => write('pids.max', 'many', { path: odd, missing: 'skip' })).toThrow('EINVAL')
  })

  test('of a file that is missing is an error with the hint of the step', () => {
    const hint = 'enable the controller'
    expect(() => write('pids.none', '1', { hint })).toThrow(/pids\.none.*ENOENT \(hint: enable the/)
    expect(existsSync(`${hierarchy + path}/pids.none`)).toBe(false)
  })

  test('of a file that may be missing is skipped, or written to the other', () => {
    write('pids.none', '1', { missing: 'skip' })
    write('pids.none', '1', { missing: { file: 'pids.max', value: '23' } })
    expect(read('pids.max')).toBe('23')
  })

  test('creates no file, and follows no link', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-cgroup-files-'))
    const target = join(directory, 'target')
    spawnSync('sh', ['-c', `echo old > ${target}; ln -s ${target} ${directory}/link`])
    const outside = { hierarchy: directory, path: '' }
    expect(() => write('link', 'new', outside)).toThrow('ELOOP')
    expect(() => write('fresh', 'new', outside)).toThrow('ENOENT')
    expect(readFileSync(target, 'latin1')).toBe('old\n')
    rmSync(directory, { recursive: true })
  })
})

const withoutCpuset = whyNot({ cpuset })
describe.skipIf(withoutCpuset !== '')(`a v1 cpuset${withoutCpuset}`, () => {
  const hierarchy = cpuset ?? ''
  const files = ['cpuset.cpus', 'cpuset.mems']

  test('inherits its cpus and nodes all the way down', () => {
    remember(hierarchy, `${path}/a`, [path])
    makeCgroup(makeStep(hierarchy, `${path}/a`, { inherit: files }))
    for (const file of files) {
      const expected = readFileSync(`${hierarchy}/${file}`, 'latin1')
      expect(readFileSync(`${hierarchy + path}/${file}`, 'latin1')).toBe(expected)
      expect(readFileSync(`${hierarchy + path}/a/${file}`, 'latin1')).toBe(expected)
    }
  })

  test('that is set already keeps what it has', () => {
    remember(hierarchy, path)
    makeCgroup(makeStep(hierarchy, path, { inherit: files }))
    spawnSync('sh', ['-c', `echo 0 > ${hierarchy + path}/cpuset.cpus`])
    makeCgroup(makeStep(hierarchy, path, { inherit: files }))
    expect(readFileSync(`${hierarchy + path}/cpuset.cpus`, 'latin1')).toBe('0\n')
  })

  test('without any takes no process, and the error says why', async () => {
    remember(hierarchy, path)
    makeCgroup(makeStep(hierarchy, path))
    const child = await startIn([], 'exec sleep 60')
    const join = { kind: 'join-cgroup', phase: 'process', origin: '', hierarchy, path } as const
    expect(() => joinCgroup(join, child.pid ?? 0)).toThrow(
      /ENOSPC \(hint: cpuset\.cpus or cpuset\.mems of the cgroup is empty\)/,
    )
    child.kill('SIGKILL')
    await reap(child)
  })
})

describe('controllers of a v2 hierarchy', () => {
  let hierarchy: string

  function fake(directory: string, available: string, enabled: string): void {
    mkdirSync(directory, { recursive: true })
    const files = `printf '${available}' > cgroup.controllers; printf '${enabled}' > cgroup.subtree_control`
    spawnSync('sh', ['-c', files], { cwd: directory })
  }

  beforeEach(() => {
    hierarchy = mkdtempSync(join(tmpdir(), 'tsrunc-test-v2-'))
  })

  afterEach(() => {
    rmSync(hierarchy, { recursive: true })
  })

  function control(below: string): string {
    return readFileSync(`${hierarchy + below}/cgroup.subtree_control`, 'latin1')
  }

  test('are enabled above the cgroup, and not in it', () => {
    fake(hierarchy, 'cpu memory pids', 'cpu')
    fake(`${hierarchy}/a`, 'cpu memory', '')
    fake(`${hierarchy}/a/b`, 'cpu memory', '')
    makeCgroup(makeStep(hierarchy, '/a/b', { enable: ['cpu', 'memory', 'io'] }))
    expect(control('')).toBe('+memory')
    expect(control('/a')).toBe('+cpu +memory')
    expect(control('/a/b')).toBe('')
  })

  test('that are enabled already are not written again', () => {
    fake(hierarchy, 'cpu', 'cpu')
    fake(`${hierarchy}/a`, 'cpu', '')
    makeCgroup(makeStep(hierarchy, '/a', { enable: ['cpu'] }))
    expect(control('')).toBe('cpu')
  })
})

const withoutV2 = whyNot({ v2: V2 })
test.skipIf(withoutV2 !== '')(`a v2 cgroup is given away, but not its limits${withoutV2}`, () => {
  const hierarchy = V2 ?? ''
  remember(hierarchy, path)
  makeCgroup(makeStep(hierarchy, path))
  const own = { kind: 'own-cgroup', phase: 'process', origin: '/linux/cgroupsPath' } as const
  ownCgroup({ ...own, hierarchy, path, uid: 4321 })
  const uidOf = (file: string) => statSync(join(hierarchy + path, file)).uid
  const given = ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']
  expect(given.map(uidOf)).toEqual([4321, 4321, 4321, 4321])
  expect(['cgroup.max.depth', 'cgroup.freeze', 'cgroup.kill'].map(uidOf)).toEqual([0, 0, 0])
})
