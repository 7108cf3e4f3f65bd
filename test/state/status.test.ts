import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LANE, LANE_SIZE, STATUS_SIZE } from '../../src/lower/instruction-set.ts'
import { describeContainer, describeContainers } from '../../src/state/describe.ts'
import { type ContainerRecord, emptyRecord } from '../../src/state/record.ts'
import { readStatus } from '../../src/state/status.ts'
import {
  type ContainerDirectory,
  createContainerDirectory,
  openRoot,
  type Root,
  writeRecord,
} from '../../src/state/store.ts'
import { readBootId, readProcess } from '../../src/sys/proc.ts'

const EXECUTE = 40
let base: string
let root: Root
let directory: ContainerDirectory
let child: ChildProcess
let record: ContainerRecord

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'tsrunc-test-status-'))
  root = openRoot(join(base, 'root'))
  directory = createContainerDirectory(root, 'a')
  child = spawn('sleep', ['60'], { stdio: 'ignore' })
})

afterAll(async () => {
  child.kill('SIGKILL')
  await once(child, 'exit')
  directory[Symbol.dispose]()
  root[Symbol.dispose]()
  rmSync(base, { recursive: true })
})

beforeEach(() => {
  const pid = child.pid ?? 0
  record = {
    ...emptyRecord('a'),
    creating: false,
    pid,
    startTime: readProcess(pid)?.startTime ?? '',
    bootId: readBootId(),
    lane: 1,
    executeIndex: EXECUTE,
  }
})

/** The process began the instruction of that index. */
function reach(index: number): void {
  const page = Buffer.alloc(STATUS_SIZE)
  page.writeUInt32LE(index + 1, LANE_SIZE + LANE.next)
  writeFileSync(join(base, 'root/a/status'), page)
}

describe('a process that is there', () => {
  test('is created before it executes the program, and running from then on', () => {
    reach(EXECUTE - 1)
    expect(readStatus(directory, record)).toBe('created')
    reach(EXECUTE)
    expect(readStatus(directory, record)).toBe('running')
  })

  test('is created when it has no status page, and none is made by looking', () => {
    rmSync(join(base, 'root/a/status'), { force: true })
    expect(readStatus(directory, record)).toBe('created')
    expect(readdirSync(join(base, 'root/a'))).toEqual([])
    writeFileSync(join(base, 'root/a/status'), 'short')
    expect(readStatus(directory, record)).toBe('created')
  })

  test('is creating as long as the record says so', () => {
    reach(EXECUTE)
    expect(readStatus(directory, { ...record, creating: true })).toBe('creating')
  })

  test.each([
    [1, 'freezer.state', 'FROZEN\n', 'THAWED\n'],
    [2, 'cgroup.events', 'populated 1\nfrozen 1\n', 'populated 1\nfrozen 0\n'],
  ] as const)('is paused when its cgroup v%i is frozen', (version, file, frozen, thawed) => {
    reach(EXECUTE)
    mkdirSync(join(base, `v${version}/c`), { recursive: true })
    const cgroups = [{ hierarchy: join(base, `v${version}`), path: '/c', version, missing: [] }]
    writeFileSync(join(base, `v${version}/c`, file), frozen)
    expect(readStatus(directory, { ...record, cgroups })).toBe('paused')
    writeFileSync(join(base, `v${version}/c`, file), thawed)
    expect(readStatus(directory, { ...record, cgroups })).toBe('running')
  })
})

describe('a container is stopped when its pid', () => {
  test.each([
    ['has another start time', { startTime: '1' }],
    ['is of another boot', { bootId: 'another' }],
    ['is nobody', { pid: 0x7fff_fffe }],
  ])('%s', (_, change) => {
    reach(EXECUTE)
    expect(readStatus(directory, { ...record, ...change })).toBe('stopped')
    expect(readStatus(directory, { ...record, ...change, creating: true })).toBe('stopped')
  })

  test('is a zombie', async () => {
    // It ends only once its parent is a program that reaps nobody.
    const child = 'until grep -q sleep /proc/$$/comm; do :; done'
    const parent = spawn('sh', ['-c', `(${child}) & echo $!; exec sleep 60`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    for (let i = 0; i < 100 && readProcess(pid)?.state !== 'Z'; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const found = readProcess(pid)
    expect(found?.state).toBe('Z')
    const startTime = found?.startTime ?? ''
    expect(readStatus(directory, { ...record, pid, startTime })).toBe('stopped')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
  })
})

test('a container without a process yet is creating', () => {
  expect(readStatus(directory, { ...record, creating: true, pid: 0 })).toBe('creating')
})

describe('the description', () => {
  test("has runc's members in runc's order", () => {
    reach(EXECUTE)
    writeRecord(directory, { ...record, ociVersion: '1.3.0', bundle: '/b', rootfs: '/b/r' })
    const description = describeContainer(root.path, 'a')
    expect(Object.keys(description).join()).toBe(
      'ociVersion,id,pid,status,bundle,rootfs,created,annotations,owner',
    )
    expect(description).toMatchObject({
      id: 'a',
      pid: record.pid,
      status: 'running',
      owner: 'root',
    })
  })

  test('of a stopped container has no pid', () => {
    writeRecord(directory, { ...record, startTime: '1' })
    expect(describeContainer(root.path, 'a')).toMatchObject({ pid: 0, status: 'stopped' })
  })

  test('of all containers is not stopped by a damaged one', () => {
    writeRecord(directory, record)
    createContainerDirectory(root, 'b')[Symbol.dispose]()
    const warnings: string[] = []
    const all = describeContainers(root.path, (message) => warnings.push(message))
    expect(all.map(({ id }) => id)).toEqual(['a'])
    expect(warnings).toEqual([expect.stringContaining('container b is damaged')])
  })
})
