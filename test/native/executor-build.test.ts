import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { buildExecutor, runCompiler, writeInstructionSet } from '../../native-shims/build.ts'
import { listenUnix } from '../../src/sys/socket.ts'
import { assemble, buildOnce, makeDirectory, startProgram } from './run-program.ts'

const DIRECTORY = resolve('native-shims')
/** The front's and the supervisor's too. */
const SOURCES = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('.c'))
  .map((name) => join(DIRECTORY, name))
const DEFINES = ['-DNODE_PATH="/usr/bin/node"', '-DRESIDENT_SOCKET="/nonexistent"']
const ARM64_COMPILER = 'aarch64-linux-gnu-gcc'

/** Bits of e_phdr's p_flags. */
const [EXECUTE, WRITE, PT_INTERP, PT_DYNAMIC] = [1, 2, 3, 2]

interface Segment {
  readonly type: number
  readonly flags: number
}

/** The program headers of a 64-bit little-endian ELF file. */
function readSegments(path: string): Segment[] {
  const elf = readFileSync(path)
  const [at, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(56)]
  return Array.from({ length: count }, (_, index) => ({
    type: elf.readUInt32LE(at + index * 56),
    flags: elf.readUInt32LE(at + index * 56 + 4),
  }))
}

describe('the executor', () => {
  test('is a small static program without a writable and executable segment', () => {
    const path = buildOnce()
    const segments = readSegments(path)
    expect(segments.map(({ type }) => type)).not.toContain(PT_INTERP)
    expect(segments.map(({ type }) => type)).not.toContain(PT_DYNAMIC)
    expect(segments.filter(({ flags }) => (flags & EXECUTE) !== 0)).toHaveLength(1)
    expect(segments.some(({ flags }) => (flags & EXECUTE) !== 0 && (flags & WRITE) !== 0)).toBe(
      false,
    )
    expect(statSync(path).size).toBeLessThan(16_384)
  })

  test('holds no text', () => {
    const words = readFileSync(buildOnce(), 'latin1').match(/[ -~]{8,}/g) ?? []
    expect(words.filter((word) => /[a-z]{4} [a-z]{3}|\/|%/.test(word))).toEqual([])
  })

  test('is small while it waits', async () => {
    const listening = listenUnix(join(makeDirectory('wait'), 'start.sock'))
    const program = assemble((asm) => {
      asm.post(0, '')
      asm.wait(asm.given('listening'))
    })
    using run = startProgram(program, [listening])
    closeSync(listening)
    run.receive()
    await setTimeout(50)
    const rollup = readFileSync(`/proc/${run.pid}/smaps_rollup`, 'latin1')
    const kilobytes = Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1])
    expect(kilobytes).toBeGreaterThan(0)
    expect(kilobytes).toBeLessThan(100)
  })
})

test('the static analyzer has nothing to say', { timeout: 60_000 }, () => {
  const flags = ['-std=c17', '-O2', '-ffreestanding', '-Wall', '-Wextra', '-Werror', ...DEFINES]
  writeInstructionSet()
  for (const source of SOURCES) {
    runCompiler([...flags, '-fanalyzer', '-c', source, '-o', '/dev/null'])
  }
})

const arm64 = spawnSync(ARM64_COMPILER, ['--version']).status === 0

test.skipIf(!arm64)(`compiles for arm64${arm64 ? '' : `: no ${ARM64_COMPILER} here`}`, () => {
  const flags = ['-std=c17', '-Os', '-ffreestanding', '-Wall', '-Wextra', '-Werror', ...DEFINES]
  writeInstructionSet()
  for (const source of SOURCES) {
    execFileSync(ARM64_COMPILER, [...flags, '-c', source, '-o', '/dev/null'], { stdio: 'pipe' })
  }
})

test('a machine without a compiler is told so', () => {
  const before = process.env.CC
  process.env.CC = '/nonexistent/cc'
  try {
    expect(() => buildExecutor(makeDirectory('none'))).toThrow(
      'no C compiler: /nonexistent/cc is not there (install gcc, or set CC)',
    )
  } finally {
    if (before === undefined) delete process.env.CC
    else process.env.CC = before
  }
})
