import { writeSync } from 'node:fs'
import { SyscallError } from '../errors.ts'

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the filesystem of the root directory is full',
  EDQUOT: 'a quota of the filesystem of the root directory is reached',
  EFBIG: 'RLIMIT_FSIZE of the caller is too low',
}

/** A full disk is told of with the name of the file, which Node leaves out. */
export function writeText(fd: number, name: string, text: string): void {
  const bytes = Buffer.from(text)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const hint = HINTS[code]
    throw new SyscallError('write', `write(${JSON.stringify(name)})`, code, hint)
  }
}
