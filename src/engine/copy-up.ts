/**
 * `tmpcopyup`: what a destination held is copied into the tmpfs that will cover it. The tree is
 * the container's: every entry is opened by one name below an open directory, never following a
 * link, and the whole is bounded, so that nothing in an image can make us read outside of it or
 * without end.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import type { FilesystemParameter } from '../plan/steps.ts'
import { O_PATH } from '../sys/directory.ts'

const DEPTH_LIMIT = 64
const BYTE_LIMIT = 4 * 1024 ** 3
const CHUNK = 1 << 16
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_WRONLY, O_CREAT, O_EXCL } = constants

interface Budget {
  bytes: number
}

/**
 * Copies directories, regular files and links; other kinds of files are left out, as in runc. Of
 * the root what the mount's own parameters say stays.
 */
export function copyUp(
  source: number,
  mount: number,
  parameters: readonly FilesystemParameter[],
): void {
  const isGiven = (key: string) => parameters.some((parameter) => parameter.key === key)
  // fsmount(2) gives an O_PATH fd, which fchown refuses: its root is opened once more.
  const target = openSync(`/proc/self/fd/${mount}/.`, O_RDONLY | O_DIRECTORY)
  try {
    const stats = fstatSync(source)
    const own = fstatSync(target)
    fchownSync(target, isGiven('uid') ? own.uid : stats.uid, isGiven('gid') ? own.gid : stats.gid)
    if (!isGiven('mode')) fchmodSync(target, stats.mode & 0o7777)
    copyDirectory(source, target, { bytes: BYTE_LIMIT }, 0)
  } finally {
    closeSync(target)
  }
}

function copyDirectory(source: number, target: number, budget: Budget, depth: number): void {
  if (depth > DEPTH_LIMIT) throw new Error(`directories nested deeper than ${DEPTH_LIMIT}`)
  // Names and links are bytes: an image's need not be UTF-8.
  for (const name of readdirSync(`/proc/self/fd/${source}`, 'buffer')) {
    const from = Buffer.concat([Buffer.from(`/proc/self/fd/${source}/`), name])
    const to = Buffer.concat([Buffer.from(`/proc/self/fd/${target}/`), name])
    const stats = lstatSync(from)
    if (stats.isSymbolicLink()) {
      symlinkSync(readlinkSync(from, 'buffer'), to)
      lchownSync(to, stats.uid, stats.gid)
    } else if (stats.isDirectory()) copySubdirectory(from, to, budget, depth)
    else if (stats.isFile()) copyFile(from, to, budget)
  }
}

function copySubdirectory(from: Buffer, to: Buffer, budget: Budget, depth: number): void {
  const source = openSync(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    mkdirSync(to)
    const target = openSync(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      const stats = fstatSync(source)
      fchownSync(target, stats.uid, stats.gid)
      fchmodSync(target, stats.mode & 0o7777)
      copyDirectory(source, target, budget, depth + 1)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/**
 * The container may have put another kind of file there since we looked, its own loss; but to open a
 * device does something to it, and no cgroup keeps us from those of the host.
 */
function copyFile(from: Buffer, to: Buffer, budget: Budget): void {
  const found = openSync(from, O_PATH | O_NOFOLLOW)
  try {
    if (!fstatSync(found).isFile()) return
    const source = openSync(`/proc/self/fd/${found}`, O_RDONLY)
    try {
      copyOpened(source, to, budget)
    } finally {
      closeSync(source)
    }
  } finally {
    closeSync(found)
  }
}

function copyOpened(source: number, to: Buffer, budget: Budget): void {
  const stats = fstatSync(source)
  budget.bytes -= stats.size
  if (budget.bytes < 0) throw new Error(`more than ${BYTE_LIMIT} bytes to copy`)
  const target = openSync(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    copyBytes(source, target, stats.size)
    fchownSync(target, stats.uid, stats.gid)
    fchmodSync(target, stats.mode & 0o7777)
  } finally {
    closeSync(target)
  }
}

function copyBytes(source: number, target: number, size: number): void {
  const chunk = Buffer.alloc(CHUNK)
  for (let left = size; left > 0; ) {
    const count = readSync(source, chunk, 0, Math.min(CHUNK, left), null)
    if (count === 0) return
    writeSync(target, chunk, 0, count)
    left -= count
  }
}
