import {
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { OPEN_DIRECTORY, pathBelow } from '../../src/sys/directory.ts'
import { closeFd, duplicateFd } from '../../src/sys/fd.ts'
import { callKernel } from '../../src/sys/ffi.ts'
import { createMemfd, writeMemfd } from '../../src/sys/memfd.ts'
import {
  connectUnix,
  createSocketPair,
  listenUnix,
  receiveMessage,
  sendMessage,
} from '../../src/sys/socket.ts'

const F_GETFD = 1
const owned: number[] = []
const directories: string[] = []

afterEach(() => {
  owned.splice(0).forEach(closeFd)
  for (const path of directories.splice(0)) rmSync(path, { recursive: true })
})

function own(fd: number): number {
  owned.push(fd)
  return fd
}

function makePair(): readonly [number, number] {
  const [left, right] = createSocketPair()
  return [own(left), own(right)]
}

function disown(fd: number): void {
  owned.splice(owned.indexOf(fd), 1)
  closeFd(fd)
}

describe('a packet', () => {
  test('arrives whole and by itself', () => {
    const [left, right] = makePair()
    sendMessage(left, Buffer.from('one'), [])
    sendMessage(left, Buffer.from('two'), [])
    expect(receiveMessage(right, 100)).toEqual({ bytes: Buffer.from('one'), fds: [] })
    expect(receiveMessage(right, 100)?.bytes.toString()).toBe('two')
  })

  test('carries as many fds as the kernel takes, close-on-exec', () => {
    const [left, right] = makePair()
    const files = Array.from({ length: 253 }, (_, i) => {
      const fd = own(createMemfd('tsrunc-test'))
      writeMemfd(fd, Buffer.from(`${i}`))
      return fd
    })
    sendMessage(left, Buffer.from('fds'), files)
    const fds = receiveMessage(right, 100)?.fds ?? []
    fds.forEach(own)
    expect(fds.map((fd) => readFileSync(`/proc/self/fd/${fd}`, 'latin1'))).toEqual(
      files.map((_, i) => `${i}`),
    )
    for (const fd of fds) expect(callKernel('fcntl', [fd, F_GETFD], 'F_GETFD')).toBe(1)
  })

  test('of more fds is refused before it is sent', () => {
    const [left] = makePair()
    const many = Array.from({ length: 254 }, () => left)
    expect(() => sendMessage(left, Buffer.from('x'), many)).toThrow('254 fds')
  })

  test('that does not fit is an error, and its fds are closed', () => {
    const [left, right] = makePair()
    const next = duplicateFd(0)
    closeFd(next)
    sendMessage(left, Buffer.from('too long'), [0, 0])
    expect(() => receiveMessage(right, 4)).toThrow('EMSGSIZE')
    expect(() => fstatSync(next)).toThrow('EBADF')
  })

  test('to nobody is an error and no SIGPIPE', () => {
    const [left, right] = makePair()
    disown(right)
    expect(() => sendMessage(left, Buffer.from('x'), [])).toThrow('EPIPE')
  })

  test('is undefined at the end of file', () => {
    const [left, right] = makePair()
    disown(left)
    expect(receiveMessage(right, 10)).toBeUndefined()
  })

  test('is itself, thousands of times', () => {
    const [left, right] = makePair()
    for (let i = 0; i < 2000; i++) {
      sendMessage(left, Buffer.from(`packet ${i}`), [0])
      const packet = receiveMessage(right, 64)
      packet?.fds.forEach(closeFd)
      expect(packet?.bytes.toString()).toBe(`packet ${i}`)
    }
  })
})

describe('a socket in a directory', () => {
  test('is reached through the directory fd, however long its path', () => {
    const base = mkdtempSync(join(tmpdir(), 'tsrunc-test-socket-'))
    directories.push(base)
    const path = join(base, 'x'.repeat(200))
    mkdirSync(path)
    const directory = own(openSync(path, OPEN_DIRECTORY))
    own(listenUnix(pathBelow(directory, 'start.sock')))
    expect(statSync(join(path, 'start.sock')).isSocket()).toBe(true)
    const connected = own(connectUnix(pathBelow(directory, 'start.sock')))
    sendMessage(connected, Buffer.from('go'), [])
    expect(() => listenUnix(join(path, 'start.sock'))).toThrow('107 bytes')
  })

  test('that nobody listens on is an error that names it', () => {
    expect(() => connectUnix('/no/such/socket')).toThrow('connect("/no/such/socket"): ENOENT')
  })

  test('of another kind is an error', () => {
    const base = mkdtempSync(join(tmpdir(), 'tsrunc-test-socket-'))
    directories.push(base)
    own(listenUnix(join(base, 's')))
    expect(() => connectUnix(join(base, 's'), 'stream')).toThrow('EPROTOTYPE')
  })
})

test('a peer that does not accept is not waited for without end', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-socket-'))
  directories.push(directory)
  const path = join(directory, 'full')
  const listening = own(callKernel('socket', [1, 1, 0], 'socket()'))
  const name = Buffer.from(`\u0001\0${path}\0`, 'latin1')
  callKernel('bind', [listening, name, name.length], 'bind()')
  callKernel('listen', [listening, 0], 'listen()')
  own(connectUnix(path, 'stream', 1))
  const began = performance.now()
  expect(() => connectUnix(path, 'stream', 1)).toThrow('EAGAIN')
  expect(performance.now() - began).toBeGreaterThan(900)
})
