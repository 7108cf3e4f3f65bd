import { closeSync, fstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SyscallError } from '../../src/errors.ts'
import { closeFd, duplicateFd } from '../../src/sys/fd.ts'
import { callKernel } from '../../src/sys/ffi.ts'
import { createMemfd, createSealedMemfd, sealExecutable, writeMemfd } from '../../src/sys/memfd.ts'

const F_GETFD = 1
const F_GET_SEALS = 1034

function isCloseOnExec(fd: number): boolean {
  return callKernel('fcntl', [fd, F_GETFD], 'fcntl(F_GETFD)') === 1
}

describe('a failed call', () => {
  test('is an error that shows the call and the errno by name', () => {
    const error = catchError(() => callKernel('fcntl', [-1, F_GETFD], 'fcntl(-1, F_GETFD)'))
    expect(error).toBeInstanceOf(SyscallError)
    expect(error).toMatchObject({ syscall: 'fcntl', code: 'EBADF' })
    expect(String(error)).toContain('fcntl(-1, F_GETFD): EBADF')
  })

  test('is a negative errno where that is tolerated', () => {
    expect(callKernel('fcntl', [-1, F_GETFD], '', ['EBADF'])).toBe(-9)
  })
})

describe('an fd', () => {
  test('is copied close-on-exec, to where it is asked to be', () => {
    const fd = createMemfd('tsrunc-test')
    const copy = duplicateFd(fd, 300)
    expect(copy).toBeGreaterThanOrEqual(300)
    expect(isCloseOnExec(copy)).toBe(true)
    closeFd(copy)
    expect(() => fstatSync(copy)).toThrow('EBADF')
    closeFd(fd)
  })
})

describe('a memfd', () => {
  test('is close-on-exec, can be written, and is read from its beginning', () => {
    const fd = createMemfd('tsrunc-test')
    writeMemfd(fd, Buffer.from('content'))
    expect(isCloseOnExec(fd)).toBe(true)
    expect(readFileSync(fd, 'latin1')).toBe('content')
    closeSync(fd)
  })

  test('that is sealed can be read by its path, and never changed', () => {
    const content = Buffer.alloc(100_000, 'x')
    const fd = createSealedMemfd('tsrunc-test', content)
    expect(readFileSync(`/proc/self/fd/${fd}`).equals(content)).toBe(true)
    expect(callKernel('fcntl', [fd, F_GET_SEALS], '') & 15).toBe(15)
    expect(() => writeFileSync(fd, 'y')).toThrow('EPERM')
    expect(() => callKernel('ftruncate', [fd, 1], 'ftruncate')).toThrow('EPERM')
    closeSync(fd)
  })

  test('of an executable is sealed and executable, one of data is not executable', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-memfd-'))
    writeFileSync(join(directory, 'program'), '#!/bin/true\n')
    const program = sealExecutable(join(directory, 'program'))
    rmSync(directory, { recursive: true })
    expect(callKernel('fcntl', [program, F_GET_SEALS], '') & 15).toBe(15)
    expect(fstatSync(program).mode & 0o111).toBe(0o111)
    const data = createMemfd('tsrunc-test')
    const hasFlags = Number(readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('.')[0]) > 6
    if (hasFlags) expect(fstatSync(data).mode & 0o111).toBe(0)
    closeSync(program)
    closeSync(data)
  })

  test('of a file that is not there leaves no fd behind', () => {
    const before = duplicateFd(0)
    closeSync(before)
    expect(() => sealExecutable('/no/such/file')).toThrow('ENOENT')
    const after = duplicateFd(0)
    closeSync(after)
    expect(after).toBe(before)
  })
})

function catchError(act: () => unknown): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}
