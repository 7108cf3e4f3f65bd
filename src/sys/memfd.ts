/** Files without a name: memfd_create(2). */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { SyscallError } from '../errors.ts'
import { callKernel } from './ffi.ts'

const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const MFD_NOEXEC_SEAL = 8
const MFD_EXEC = 16
const F_ADD_SEALS = 1033
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
const ALL_SEALS = 1 | 2 | 4 | 8

/** A writable memfd without execute permission. */
export function createMemfd(name: string): number {
  return createFile(name, MFD_NOEXEC_SEAL)
}

/** A memfd whose content can never change again. */
export function createSealedMemfd(name: string, content: Uint8Array): number {
  return fill(createMemfd(name), content)
}

/** A sealed, executable copy of a file. Throws with the sysctl's name where memfds are barred. */
export function sealExecutable(path: string): number {
  const content = readFileSync(path)
  try {
    return fill(createFile('tsrunc-executor', MFD_EXEC), content)
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== 'EACCES') throw error
    throw new SyscallError(
      'memfd_create',
      'memfd_create("tsrunc-executor", MFD_EXEC)',
      error.code,
      'the sysctl vm.memfd_noexec forbids executable memfds: set it to 1 or 0',
    )
  }
}

/** Writes from the beginning; the file's offset stays there, for whoever reads it next. */
export function writeMemfd(fd: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) {
    at += writeSync(fd, content, at, content.length - at, at)
  }
}

function fill(fd: number, content: Uint8Array): number {
  try {
    writeMemfd(fd, content)
    callKernel('fcntl', [fd, F_ADD_SEALS, ALL_SEALS], `fcntl(${fd}, F_ADD_SEALS)`)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Kernels before 6.3 know neither of the two execute flags and answer EINVAL. */
function createFile(name: string, execute: number): number {
  const title = Buffer.from(`${name}\0`)
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
  const call = `memfd_create(${JSON.stringify(name)})`
  const fd = callKernel('memfd_create', [title, flags | execute], call, ['EINVAL'])
  return fd >= 0 ? fd : callKernel('memfd_create', [title, flags], call)
}
