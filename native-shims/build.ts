/** Builds the native programs with the system's C compiler. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

// The build is bundled before it runs, so import.meta does not tell where this file lies.
const SOURCES = resolve('native-shims')

const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  // No libc and nothing that would need its start-up code: see syscall.h.
  '-ffreestanding',
  '-nostdlib',
  '-static',
  '-fno-pie',
  '-no-pie',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-s',
  '-Wl,-z,noseparate-code,-z,noexecstack,--build-id=none',
]

export interface Program {
  readonly name: string
  readonly sources: readonly string[]
  readonly defines: Readonly<Record<string, string>>
}

/** What a caller runs; becomes this Node unless there is a `node` beside it. */
const FRONT: Program = {
  name: 'tsrunc',
  sources: [
    'front.c',
    'front-request.c',
    'supervisor.c',
    'supervisor-message.c',
    'supervisor-teardown.c',
  ],
  defines: { NODE_PATH: JSON.stringify(process.execPath) },
}

export function buildProgram(program: Program, outputDirectory: string): void {
  const defines = Object.entries(program.defines).map(([name, value]) => `-D${name}=${value}`)
  const sources = program.sources.map((source) => join(SOURCES, source))
  const output = join(outputDirectory, program.name)
  execFileSync('cc', [...FLAGS, ...defines, ...sources, '-o', output], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

export function buildFront(outputDirectory: string): void {
  mkdirSync(outputDirectory, { recursive: true })
  buildProgram(FRONT, outputDirectory)
}

export function buildNative(outputDirectory: string): void {
  buildFront(outputDirectory)
}
