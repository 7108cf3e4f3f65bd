import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Seccomp, SeccompAction } from '../../src/config/spec.ts'
import {
  AUDIT_ARCHITECTURE,
  evaluateFilter,
  VERDICT,
} from '../../src/fields/linux/seccomp-evaluate.ts'
import { compileSeccomp } from '../../src/sys/libseccomp.ts'
import { SYSCALL } from '../../src/sys/syscall-numbers.ts'

const host = process.arch === 'arm64' ? 'arm64' : 'x64'
const installed = canCompile()
const why = installed ? '' : ' (skipped: libseccomp.so.2 is not installed)'

function canCompile(): boolean {
  try {
    compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' })
    return true
  } catch (error) {
    if (String(error).includes('cannot be loaded')) return false
    throw error
  }
}

type Name = keyof (typeof SYSCALL)[typeof host]

/** The kernel's verdict on a call of this host's own architecture. */
function judge(profile: Seccomp, name: Name, args: readonly bigint[] = []): number {
  const filter = Buffer.from(compileSeccomp(profile).filter, 'base64')
  const architecture = AUDIT_ARCHITECTURE[host]
  return evaluateFilter(filter, { number: SYSCALL[host][name], architecture, args })
}

describe.skipIf(!installed)(`profiles are compiled${why}`, () => {
  test.each<[SeccompAction, number | undefined, number]>([
    ['SCMP_ACT_ALLOW', undefined, VERDICT.allow],
    ['SCMP_ACT_LOG', undefined, VERDICT.log],
    ['SCMP_ACT_ERRNO', undefined, VERDICT.errno | 1],
    ['SCMP_ACT_ERRNO', 38, VERDICT.errno | 38],
    ['SCMP_ACT_ERRNO', 0, VERDICT.errno],
    ['SCMP_ACT_TRACE', 7, VERDICT.trace | 7],
    ['SCMP_ACT_TRACE', undefined, VERDICT.trace | 1],
    ['SCMP_ACT_TRAP', undefined, VERDICT.trap],
    ['SCMP_ACT_KILL', undefined, VERDICT.killThread],
    ['SCMP_ACT_KILL_THREAD', undefined, VERDICT.killThread],
    ['SCMP_ACT_KILL_PROCESS', undefined, VERDICT.killProcess],
  ])('%s with errno %j', (action, errno, verdict) => {
    const other = action === 'SCMP_ACT_ALLOW' ? 'SCMP_ACT_KILL' : 'SCMP_ACT_ALLOW'
    const result = errno === undefined ? {} : { errnoRet: errno }
    const rule = { names: ['read'], action, ...result }
    expect(judge({ defaultAction: other, syscalls: [rule] }, 'read')).toBe(verdict)
    const byDefault = errno === undefined ? {} : { defaultErrnoRet: errno }
    expect(judge({ defaultAction: action, ...byDefault }, 'write')).toBe(verdict)
  })

  test.each([
    ['SCMP_CMP_EQ', 5n, undefined, [5n], [4n, 6n]],
    ['SCMP_CMP_NE', 5n, undefined, [4n, 6n], [5n]],
    ['SCMP_CMP_LT', 5n, undefined, [4n], [5n, 6n]],
    ['SCMP_CMP_LE', 5n, undefined, [4n, 5n], [6n]],
    ['SCMP_CMP_GE', 5n, undefined, [5n, 6n], [4n]],
    ['SCMP_CMP_GT', 5n, undefined, [6n], [4n, 5n]],
    ['SCMP_CMP_MASKED_EQ', 0xf0n, 0x10n, [0x10n, 0x1fn], [0x20n, 0n]],
    ['SCMP_CMP_EQ', 0xffff_ffff_0000_0001n, undefined, [0xffff_ffff_0000_0001n], [1n]],
  ] as const)('%s %s %s', (op, value, two, matching, others) => {
    const argument = { index: 1, op, value, ...(two === undefined ? {} : { valueTwo: two }) }
    const rule = { names: ['write'], action: 'SCMP_ACT_ALLOW', args: [argument] } as const
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule] }
    for (const given of matching) expect(judge(profile, 'write', [0n, given])).toBe(VERDICT.allow)
    for (const given of others) expect(judge(profile, 'write', [0n, given])).toBe(VERDICT.errno | 1)
  })

  test('conditions on different arguments hold together, on the same one each by itself', () => {
    const zero = { index: 0, op: 'SCMP_CMP_EQ', value: 0n } as const
    const action = 'SCMP_ACT_ALLOW'
    const both = { names: ['personality'], action, args: [zero, { ...zero, index: 1 }] } as const
    const either = { names: ['personality'], action, args: [zero, { ...zero, value: 8n }] } as const
    const defaultAction = 'SCMP_ACT_KILL_PROCESS'
    expect(judge({ defaultAction, syscalls: [both] }, 'personality', [0n, 1n])).toBe(
      VERDICT.killProcess,
    )
    expect(judge({ defaultAction, syscalls: [both] }, 'personality', [0n, 0n])).toBe(VERDICT.allow)
    for (const value of [0n, 8n]) {
      expect(judge({ defaultAction, syscalls: [either] }, 'personality', [value])).toBe(
        VERDICT.allow,
      )
    }
    expect(judge({ defaultAction, syscalls: [either] }, 'personality', [1n])).toBe(
      VERDICT.killProcess,
    )
  })

  test('unknown system calls are skipped and named, rules that say the default too', () => {
    const syscalls = [
      { names: ['tsrunc_call', 'read'], action: 'SCMP_ACT_ALLOW' },
      { names: ['write'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
    ] as const
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls }
    expect(compileSeccomp(profile).unknownSyscalls).toEqual(['tsrunc_call'])
    expect(judge(profile, 'read')).toBe(VERDICT.allow)
    expect(judge(profile, 'write')).toBe(VERDICT.errno | 1)
  })

  test('calls of an architecture that is not listed kill; of one that is, they are judged', () => {
    if (host !== 'x64') return
    const syscalls = [{ names: ['exit_group'], action: 'SCMP_ACT_ALLOW' }] as const
    const i386 = { number: 252, architecture: 0x4000_0003 }
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls }
    const run = (listed: Seccomp) => {
      return evaluateFilter(Buffer.from(compileSeccomp(listed).filter, 'base64'), i386)
    }
    expect(run(profile)).toBe(VERDICT.killThread)
    expect(
      run({ ...profile, architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }),
    ).toBe(VERDICT.allow)
  })

  test.each<[SeccompAction, number | undefined, boolean]>([
    ['SCMP_ACT_ERRNO', undefined, true],
    ['SCMP_ACT_ERRNO', 5, true],
    ['SCMP_ACT_KILL_PROCESS', undefined, true],
    ['SCMP_ACT_TRACE', undefined, false],
    ['SCMP_ACT_LOG', undefined, false],
  ])('%s %j by default: a call newer than the rules does not exist: %s', (action, errno, is) => {
    const byDefault = errno === undefined ? {} : { defaultErrnoRet: errno }
    const syscalls = [{ names: ['getpid'], action: 'SCMP_ACT_ALLOW' }] as const
    const newer = judge({ defaultAction: action, ...byDefault, syscalls }, 'statx')
    expect(newer === (VERDICT.errno | 38)).toBe(is)
    expect(judge({ defaultAction: action, ...byDefault, syscalls }, 'getpid')).toBe(VERDICT.allow)
  })

  test('a rule that libseccomp refuses is named', () => {
    const syscalls = [
      {
        names: ['read'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 7, op: 'SCMP_CMP_EQ', value: 0n }],
      },
    ] as const
    expect(() => compileSeccomp({ defaultAction: 'SCMP_ACT_ERRNO', syscalls })).toThrow(
      '/linux/seccomp/syscalls/0: seccomp_rule_add(SCMP_ACT_ALLOW, read): EINVAL',
    )
  })
})

describe.skipIf(!installed)(`the cache${why}`, () => {
  const syscalls = [{ names: ['read', 'tsrunc_call'], action: 'SCMP_ACT_ALLOW' }] as const
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls }
  let directory: string
  let cacheDirectory: number

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-cache-'))
    cacheDirectory = openSync(directory, 'r')
  })

  afterEach(() => {
    closeSync(cacheDirectory)
    rmSync(directory, { recursive: true })
  })

  const entry = () => join(directory, readdirSync(directory)[0] ?? '')
  const identity = () => statSync(entry()).ino

  test('is written once, for its owner alone, and read afterwards', () => {
    const compiled = compileSeccomp(profile, { cacheDirectory })
    expect(compiled).toEqual(compileSeccomp(profile))
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^seccomp@[0-9a-f]{8}$/)])
    expect(statSync(entry()).mode & 0o777).toBe(0o600)
    const before = identity()
    expect(compileSeccomp(profile, { cacheDirectory })).toEqual(compiled)
    expect(identity()).toBe(before)
  })

  test('has another entry for another profile, and none for other flags', () => {
    compileSeccomp(profile, { cacheDirectory })
    compileSeccomp({ ...profile, flags: ['SECCOMP_FILTER_FLAG_LOG'] }, { cacheDirectory })
    expect(readdirSync(directory)).toHaveLength(1)
    compileSeccomp({ ...profile, defaultErrnoRet: 38 }, { cacheDirectory })
    expect(readdirSync(directory)).toHaveLength(2)
  })

  test('is emptied before it holds more than 64 entries', () => {
    for (let number = 0; number < 64; number++) {
      writeFileSync(join(directory, `seccomp@${number}`), '')
    }
    writeFileSync(join(directory, 'web1'), '')
    compileSeccomp(profile, { cacheDirectory })
    expect(readdirSync(directory).toSorted()).toEqual([
      expect.stringMatching(/^seccomp@[0-9a-f]{8}$/),
      'web1',
    ])
  })

  test.each<[string, (path: string) => void]>([
    ['a changed byte', (path) => writeFileSync(path, changeByte(readFileSync(path)))],
    ['a cut end', (path) => writeFileSync(path, readFileSync(path).subarray(0, -9))],
    ['nothing at all', (path) => writeFileSync(path, '')],
    ['a mode that lets others write', (path) => chmodSync(path, 0o666)],
  ])('with %s is compiled and written anew', (_, spoil) => {
    const compiled = compileSeccomp(profile, { cacheDirectory })
    const good = readFileSync(entry())
    const before = identity()
    spoil(entry())
    expect(compileSeccomp(profile, { cacheDirectory })).toEqual(compiled)
    expect(readFileSync(entry())).toEqual(good)
    expect(identity()).not.toBe(before)
    expect(statSync(entry()).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toHaveLength(1)
  })

  test('of another profile under this one’s name is none', () => {
    const compiled = compileSeccomp(profile, { cacheDirectory })
    const path = entry()
    rmSync(path)
    compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }, { cacheDirectory })
    writeFileSync(path, readFileSync(entry()), { mode: 0o600 })
    expect(compileSeccomp(profile, { cacheDirectory })).toEqual(compiled)
  })

  test('that cannot be written is done without', () => {
    const nowhere = openSync('/proc', 'r')
    try {
      expect(compileSeccomp(profile, { cacheDirectory: nowhere })).toEqual(compileSeccomp(profile))
    } finally {
      closeSync(nowhere)
    }
  })
})

function changeByte(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(60) ^ 1, 60)
  return copy
}
