import { fstatSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeRequest, readRequest } from '../../src/host/request.ts'

function encodeRequest(changes: { magic?: number; version?: number; supervisor?: number }): Buffer {
  const header = Buffer.alloc(32 + 16 * 16)
  header.writeUInt32LE(changes.magic ?? 0x5152_5354, 0)
  header.writeUInt32LE(changes.version ?? 2, 4)
  header.writeUInt32LE(2, 8)
  header.writeUInt32LE(4, 12)
  header.writeUInt32LE(1, 16)
  header.writeInt32LE(changes.supervisor ?? -1, 20)
  header.writeInt32LE(77, 24)
  header.writeBigUInt64LE(5n, 32 + 7 * 16)
  header.writeBigUInt64LE(2n ** 63n, 32 + 7 * 16 + 8)
  const strings = ['tsrunc', '', 'A=1', 'A=2', '=x', 'NOVALUE', '/run/socket']
  return Buffer.concat([header, Buffer.from([9, 0, 0, 0]), Buffer.from(`${strings.join('\0')}\0`)])
}

test('a request is read as it is laid out', () => {
  const request = decodeRequest(encodeRequest({ supervisor: 1001 }))
  expect(request).toMatchObject({ argv: ['tsrunc', ''], pid: 77, supervisor: 1001 })
  expect(request.residentSocket).toBe('/run/socket')
  expect(request.descriptors).toEqual([9])
  expect(request.limits.RLIMIT_NOFILE).toEqual({ soft: 5n, hard: 2n ** 63n })
})

test('of two variables the first counts, and what is no variable is left out', () => {
  expect([...decodeRequest(encodeRequest({})).env]).toEqual([['A', '1']])
})

test('no supervisor is no member', () => {
  expect(decodeRequest(encodeRequest({}))).not.toHaveProperty('supervisor')
})

test('a request is closed once it is read', () => {
  const path = join(tmpdir(), `tsrunc-test-request-${process.pid}`)
  writeFileSync(path, encodeRequest({}))
  const fd = openSync(path, 'r')
  rmSync(path)
  expect(readRequest(fd).pid).toBe(77)
  expect(() => fstatSync(fd)).toThrow('EBADF')
})

test('what is no request, or one of another build, is refused', () => {
  expect(() => decodeRequest(Buffer.alloc(0))).toThrow('not of the front')
  expect(() => decodeRequest(encodeRequest({ magic: 1 }))).toThrow('not of the front')
  expect(() => decodeRequest(encodeRequest({ version: 1 }))).toThrow('different versions')
  expect(() => decodeRequest(encodeRequest({}).subarray(0, -1))).toThrow('cut short')
})
