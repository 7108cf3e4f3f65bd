import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StateError, UsageError } from '../../src/errors.ts'
import { lockContainer } from '../../src/state/lock.ts'
import { emptyRecord } from '../../src/state/record.ts'
import {
  containerExists,
  createContainerDirectory,
  isRemoved,
  listContainers,
  openContainer,
  openRoot,
  readRecord,
  removeContainerDirectory,
  startSocketPath,
  writeRecord,
} from '../../src/state/store.ts'

const isRoot = process.geteuid?.() === 0
let base: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'tsrunc-test-store-'))
})

afterEach(() => {
  rmSync(base, { recursive: true })
})

describe('the root directory', () => {
  test('is made, for its owner alone', () => {
    const path = join(base, 'a/b')
    using root = openRoot(path)
    expect(root.path).toBe(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test('is never /', () => {
    expect(() => openRoot('/')).toThrow(UsageError)
    expect(() => openRoot('/usr/..')).toThrow(UsageError)
  })

  test.each([0o720, 0o702])('that others can write to (%o) is refused', (mode) => {
    chmodSync(base, mode)
    expect(() => openRoot(base)).toThrow(/be writable by nobody else/)
  })

  test.skipIf(!isRoot)('of another user is refused (needs root)', () => {
    chownSync(base, 1234, 0)
    expect(() => openRoot(base)).toThrow(/must belong to uid 0/)
    chownSync(base, 0, 0)
  })

  test('that is a link or a file is refused in words', () => {
    mkdirSync(join(base, 'directory'))
    symlinkSync(join(base, 'directory'), join(base, 'link'))
    writeFileSync(join(base, 'file'), '')
    for (const name of ['link', 'link/', 'file', 'file/below']) {
      expect(() => openRoot(join(base, name)), name).toThrow(/must be a directory, and not a link/)
    }
  })
})

describe('an id', () => {
  test.each(['a', 'A-b_c+d.e', '0', '...', 'x'.repeat(255)])('may be %s', (id) => {
    using root = openRoot(base)
    createContainerDirectory(root, id)[Symbol.dispose]()
    expect(listContainers(root)).toEqual([id])
  })

  test.each(['', '.', '..', 'a/b', '/a', 'a b', 'ä', 'a\n', 'a\0', 'x'.repeat(1025)])(
    'must not be %j',
    (id) => {
      using root = openRoot(base)
      const acts = [
        () => createContainerDirectory(root, id),
        () => openContainer(root, id),
        () => removeContainerDirectory(root, id),
        () => containerExists(root, id),
      ]
      for (const act of acts) expect(act).toThrow(/^invalid container ID format: /)
    },
  )

  test('has one container only', () => {
    using root = openRoot(base)
    using _first = createContainerDirectory(root, 'a')
    expect(() => createContainerDirectory(root, 'a')).toThrow(
      'container with given ID already exists: a',
    )
  })
})

describe('a container', () => {
  test('that is not there does not exist', () => {
    using root = openRoot(base)
    expect(containerExists(root, 'a')).toBe(false)
    expect(() => openContainer(root, 'a')).toThrow(StateError)
    expect(() => openContainer(root, 'a')).toThrow('container does not exist: a')
  })

  test('is removed with all files that we make', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    writeRecord(directory, emptyRecord('a'))
    for (const name of ['.state.json', 'status', 'start.sock'])
      writeFileSync(join(base, 'a', name), '')
    removeContainerDirectory(root, 'a')
    expect(readdirSync(base)).toEqual([])
    expect(isRemoved(directory)).toBe(true)
  })

  test('keeps a file that is not ours, and says so', () => {
    using root = openRoot(base)
    createContainerDirectory(root, 'a')[Symbol.dispose]()
    writeFileSync(join(base, 'a/mine'), '')
    expect(() => removeContainerDirectory(root, 'a')).toThrow(`${base}/a holds files`)
    expect(existsSync(join(base, 'a/mine'))).toBe(true)
  })

  test('that is a link is not opened', () => {
    using root = openRoot(base)
    symlinkSync('/tmp', join(base, 'a'))
    expect(() => openContainer(root, 'a')).toThrow(/ENOTDIR|ELOOP/)
  })

  test('has a short path to its socket', () => {
    using root = openRoot(join(base, 'x'.repeat(200)))
    using directory = createContainerDirectory(root, 'a')
    expect(startSocketPath(directory).length).toBeLessThan(60)
  })
})

describe('a record', () => {
  test('is read as it was written, and replaced as a whole', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    const record = { ...emptyRecord('a'), pid: 7, annotations: { 'ü"\n': 'ß' } }
    writeRecord(directory, { ...record, annotations: { long: 'x'.repeat(10_000) } })
    writeRecord(directory, record)
    expect(readRecord(directory)).toEqual(record)
    expect(readdirSync(join(base, 'a'))).toEqual(['state.json'])
    expect(statSync(join(base, 'a/state.json')).mode & 0o777).toBe(0o600)
  })

  test('does not follow a link that was put in its way', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    writeFileSync(join(base, 'victim'), 'untouched')
    symlinkSync(join(base, 'victim'), join(base, 'a/.state.json'))
    expect(() => writeRecord(directory, emptyRecord('a'))).toThrow('ELOOP')
    expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('untouched')
  })

  test('that is missing is damage, unless the container is gone', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    expect(() => readRecord(directory)).toThrow(/damaged: it has no state.json.*delete --force a/)
    removeContainerDirectory(root, 'a')
    expect(() => readRecord(directory)).toThrow('container does not exist: a')
  })

  const whole = JSON.stringify(emptyRecord('a'))
  test.each([
    ['', 'is no JSON'],
    [whole.slice(0, -9), 'is no JSON'],
    ['null', 'is no object'],
    ['[]', /has no (valid )?version/],
    ['{}', /has no (valid )?version/],
    [whole.replace('"pid":0', '"pid":"0"'), /has no (valid )?pid/],
    [whole.replace('"cgroups":[]', '"cgroups":{}'), /has no (valid )?cgroups/],
    [whole.replace('"version":1', '"version":99'), 'another version'],
    [whole.replace('"id":"a"', '"id":"b"'), 'another container'],
  ])('of %.20j… is damaged: %s', (text, how) => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    writeFileSync(join(base, 'a/state.json'), text)
    expect(() => readRecord(directory)).toThrow(StateError)
    expect(() => readRecord(directory)).toThrow(how)
  })
})

describe('a lock', () => {
  test('is waited for, and not for ever', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    const first = lockContainer(directory)
    const begin = Date.now()
    expect(() => lockContainer(directory, 60)).toThrow('container a is busy')
    expect(Date.now() - begin).toBeGreaterThanOrEqual(60)
    first[Symbol.dispose]()
    lockContainer(directory, 0)[Symbol.dispose]()
  })

  test('ends with the process that holds it', () => {
    using root = openRoot(base)
    using directory = createContainerDirectory(root, 'a')
    const { status } = spawnSync('flock', ['-n', join(base, 'a'), 'true'])
    expect(status).toBe(0)
    using _lock = lockContainer(directory, 0)
    expect(spawnSync('flock', ['-n', join(base, 'a'), 'true']).status).toBe(1)
  })
})
