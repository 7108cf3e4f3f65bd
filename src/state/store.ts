/**
 * The store: a root directory with a directory for each container. Both are opened once and then
 * used as fds, so that nobody can swap them between two looks.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { containerDoesNotExist, isErrno, StateError, UsageError } from '../errors.ts'
import { monotonicMs } from '../sys/clock.ts'
import { OPEN_DIRECTORY, pathBelow } from '../sys/directory.ts'
import { NOTIFY_DIRECTORY, NOTIFY_SOCKET } from './notify-directory.ts'
import { type ContainerRecord, parseRecord } from './record.ts'
import { STATUS_PAGE } from './status-page.ts'
import { writeText } from './write-text.ts'

const RECORD = 'state.json'
const RECORD_DRAFT = '.state.json'
const KEPT_CONFIG = 'config.json'
const START_SOCKET = 'start.sock'
const CHANGE_TIMEOUT_MS = 200
const CHANGE_PAUSE_MS = 5
const ID = /^[A-Za-z0-9_+.-]{1,1024}$/

/** Everything that a container's directory ever holds; the record goes last. */
export const CONTAINER_FILES = [
  NOTIFY_SOCKET,
  RECORD_DRAFT,
  KEPT_CONFIG,
  STATUS_PAGE,
  START_SOCKET,
  RECORD,
] as const

/** Directories of its own for some of them. */
export const CONTAINER_DIRECTORIES = [NOTIFY_DIRECTORY] as const

export interface Root extends Disposable {
  readonly fd: number
  readonly path: string
}

export interface ContainerDirectory extends Disposable {
  readonly fd: number
  readonly id: string
}

/** Opens the root directory, made 0700 if missing. Throws where others could write to it. */
export function openRoot(path: string): Root {
  // Without a slash at its end, behind which a link would be followed.
  const absolute = resolve(path)
  if (absolute === '/') throw new UsageError('--root must not be /')
  const fd = openRootDirectory(absolute)
  const { uid, mode } = fstatSync(fd)
  if (uid === process.geteuid?.() && (mode & 0o022) === 0) return owned({ fd, path: absolute })
  closeSync(fd)
  throw new StateError(
    `root directory ${absolute} must belong to uid ${process.geteuid?.()} and be writable by` +
      ` nobody else, it has uid ${uid} and mode ${(mode & 0o7777).toString(8)}`,
  )
}

function openRootDirectory(path: string): number {
  try {
    // Sticky where it lies in a user's XDG_RUNTIME_DIR: cleaners of old files leave that alone.
    const mode = process.geteuid?.() === 0 ? 0o700 : 0o1700
    mkdirSync(path, { recursive: true, mode })
    return openDirectory(path)
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR', 'ELOOP'].some((code) => isErrno(error, code))) throw error
    throw new StateError(`root directory ${path} must be a directory, and not a link to one`)
  }
}

/** Makes the directory of a new container; mkdir(2) decides who of two creators gets the id. */
export function createContainerDirectory(root: Root, id: string): ContainerDirectory {
  checkId(id)
  try {
    mkdirSync(pathBelow(root.fd, id), { mode: 0o700 })
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    throw new StateError(`container with given ID already exists: ${id}`)
  }
  return openContainer(root, id)
}

/** Opens the directory of a container that is there. */
export function openContainer(root: Root, id: string): ContainerDirectory {
  checkId(id)
  try {
    return owned({ fd: openDirectory(pathBelow(root.fd, id)), id })
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw containerDoesNotExist(id)
  }
}

/** Whether the directory was removed since it was opened: its name may be another's by now. */
export function isRemoved(directory: ContainerDirectory): boolean {
  return fstatSync(directory.fd).nlink === 0
}

/** Whether there is a directory of that name. */
export function containerExists(root: Root, id: string): boolean {
  checkId(id)
  return readdirSync(pathBelow(root.fd, '.')).includes(id)
}

/** The ids of all containers, in order. */
export function listContainers(root: Root): readonly string[] {
  return readdirSync(pathBelow(root.fd, '.'))
    .filter((name) => ID.test(name))
    .toSorted()
}

/** The ids, in order, of which an expression matches some part. */
export function findContainers(rootPath: string, expression: RegExp): readonly string[] {
  using root = openRoot(rootPath)
  return listContainers(root).filter((id) => expression.test(id))
}

/** Replaces state.json as a whole: a reader sees the old record or the new one. */
export function writeRecord(directory: ContainerDirectory, record: ContainerRecord): void {
  const draft = pathBelow(directory.fd, RECORD_DRAFT)
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  try {
    writeText(fd, `${directory.id}/${RECORD}`, JSON.stringify(record))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, pathBelow(directory.fd, RECORD))
}

/**
 * Reads state.json. Throws StateError where it is missing or damaged. A directory has none for a
 * moment while its container is created or deleted: that is waited for, and no damage.
 */
export function readRecord(directory: ContainerDirectory): ContainerRecord {
  const { id } = directory
  const deadline = monotonicMs() + CHANGE_TIMEOUT_MS
  for (;;) {
    const text = readRecordText(directory)
    if (text !== undefined) return parseRecord(text, id)
    if (isRemoved(directory)) throw containerDoesNotExist(id)
    if (monotonicMs() > deadline) break
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CHANGE_PAUSE_MS)
  }
  throw new StateError(
    `state of container ${id} is damaged: it has no state.json` +
      ` (hint: delete --force ${id} removes what is left)`,
  )
}

/** The text of state.json; undefined when there is none. */
export function readRecordText(directory: ContainerDirectory): string | undefined {
  try {
    return readFileSync(pathBelow(directory.fd, RECORD), 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    return undefined
  }
}

/** Writes what `exec` needs of the config; once, while the container is created. */
export function writeKeptText(directory: ContainerDirectory, text: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const path = pathBelow(directory.fd, KEPT_CONFIG)
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeText(fd, `${directory.id}/${KEPT_CONFIG}`, text)
  } finally {
    closeSync(fd)
  }
}

/** Empty where there is none: the container is from before it was kept. */
export function readKeptText(directory: ContainerDirectory): string {
  try {
    return readFileSync(pathBelow(directory.fd, KEPT_CONFIG), 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

/** Where `start` and the container's process meet: a path that any length of root leaves short. */
export function startSocketPath(directory: ContainerDirectory): string {
  return pathBelow(directory.fd, START_SOCKET)
}

/** Removes a container's directory with the files that we know, and nothing else. */
export function removeContainerDirectory(root: Root, id: string): void {
  checkId(id)
  for (const name of CONTAINER_FILES) removeFile(pathBelow(root.fd, `${id}/${name}`))
  for (const name of CONTAINER_DIRECTORIES) removeDirectory(pathBelow(root.fd, `${id}/${name}`))
  try {
    rmdirSync(pathBelow(root.fd, id))
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY')) throw error
    throw new StateError(`${root.path}/${id} holds files that tsrunc did not make: it was kept`)
  }
}

/** rmSync's `force` would first load a module for whole trees. */
function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** One that is not empty is the error of the directory that it is in. */
function removeDirectory(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTEMPTY')) throw error
  }
}

/** How much is shown of an id that is none. */
const SHOWN = 60

/** Throws UsageError where the id is not a name of one component. */
export function checkId(id: string): void {
  if (ID.test(id) && id !== '.' && id !== '..') return
  throw new UsageError(
    `invalid container ID format: ${JSON.stringify(id.length > SHOWN ? `${id.slice(0, SHOWN)}…` : id)}` +
      ' (letters, digits and _ + . - are allowed, at most 1024)',
  )
}

function openDirectory(path: string): number {
  return openSync(path, OPEN_DIRECTORY)
}

function owned<T extends { readonly fd: number }>(value: T): T & Disposable {
  return { ...value, [Symbol.dispose]: () => closeSync(value.fd) }
}
