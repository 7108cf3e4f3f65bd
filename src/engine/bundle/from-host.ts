/** A bundle out of programs of this host: a root filesystem without network and images. */
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../../errors.ts'
import { readExecutable } from './elf.ts'
import { collectLibraries, type Files } from './libraries.ts'

const SEARCHED = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
/** Links on a system with merged /usr: `/bin/sh` and `/usr/bin/sh` are the same there. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64']
const EMPTY = ['proc', 'sys', 'dev', 'etc', 'root', 'run', 'var', 'tmp', 'usr/bin']
const TEXTS = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
}

export interface BundleInput {
  readonly directory: string
  /** Names looked up on this host, or paths. */
  readonly commands: readonly string[]
  /** Taken when they exist. */
  readonly optional: readonly string[]
  readonly config: string
}

/** Makes the bundle, or nothing. Gives the number of files that were copied. */
export function createBundleFromHost(input: BundleInput): number {
  const target = resolve(input.directory)
  checkTarget(target)
  const files = collectFiles(input)
  mkdirSync(dirname(target), { recursive: true })
  const staging = mkdtempSync(`${target}.new-`)
  try {
    chmodSync(staging, 0o755)
    fillRoot(join(staging, 'rootfs'), files)
    writeFileSync(join(staging, 'config.json'), input.config)
    renameSync(staging, target)
  } catch (error) {
    rmSync(staging, { recursive: true, force: true })
    throw error
  }
  return files.size
}

function checkTarget(target: string): void {
  const status = lstatSync(target, { throwIfNoEntry: false })
  if (status === undefined) return
  if (!status.isDirectory()) throw new UsageError(`${target} exists and is no directory`)
  if (readdirSync(target).length > 0) throw new UsageError(`${target} exists and is not empty`)
}

function collectFiles({ commands, optional }: BundleInput): Files {
  const files: Files = new Map()
  const missing: string[] = []
  for (const name of [...commands, ...optional]) {
    const path = findCommand(name)
    if (path !== undefined) addProgram(path, files, missing)
    else if (commands.includes(name)) missing.push(name)
  }
  if (missing.length > 0) {
    throw new UsageError(`not found on this host: ${[...new Set(missing)].join(', ')}`)
  }
  return files
}

function addProgram(path: string, files: Files, missing: string[]): void {
  if (files.has(path)) return
  files.set(path, path)
  const head = readExecutable(path)
  if (head === undefined) {
    for (const name of readShebang(path)) {
      const interpreter = findCommand(name)
      if (interpreter === undefined) missing.push(`${name} (interpreter of ${path})`)
      else addProgram(interpreter, files, missing)
    }
    return
  }
  if (head.interpreter !== undefined) files.set(head.interpreter, head.interpreter)
  for (const name of collectLibraries(realpathSync(path), head, files)) {
    missing.push(`${name} (library of ${path})`)
  }
}

/** The interpreter of a script, and for `#!/usr/bin/env NAME` the program behind it. */
function readShebang(path: string): string[] {
  const line = /^#!\s*(\S+)\s*(\S*)/.exec(readFileSync(path, 'latin1').slice(0, 256))
  const [, interpreter, argument] = line ?? []
  if (interpreter === undefined) return []
  return basename(interpreter) === 'env' && argument ? [interpreter, argument] : [interpreter]
}

function findCommand(name: string): string | undefined {
  const candidates = name.includes('/')
    ? [resolve(name)]
    : SEARCHED.map((directory) => join(directory, name))
  return candidates.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function fillRoot(root: string, files: Files): void {
  mkdirSync(root)
  for (const name of MERGED) {
    if (!lstatSync(`/${name}`, { throwIfNoEntry: false })?.isSymbolicLink()) continue
    const link = readlinkSync(`/${name}`).replace(/^\//, '')
    mkdirSync(join(root, link), { recursive: true })
    symlinkSync(link, join(root, name))
  }
  for (const name of EMPTY) mkdirSync(join(root, name), { recursive: true })
  chmodSync(join(root, 'tmp'), 0o1777)
  chmodSync(join(root, 'root'), 0o700)
  for (const [name, text] of Object.entries(TEXTS)) writeFileSync(join(root, name), text)
  for (const [source, place] of files) {
    const copy = join(root, place)
    mkdirSync(dirname(copy), { recursive: true })
    copyFileSync(source, copy, constants.COPYFILE_FICLONE)
    // Without the set-user-id bit that mount or su has on the host.
    chmodSync(copy, 0o755)
  }
}
