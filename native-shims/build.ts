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

const FRONT_SOURCES = [
  'front.c',
  'front-request.c',
  'supervisor.c',
  'supervisor-message.c',
  'supervisor-teardown.c',
]

export function buildProgram(program: Program, outputDirectory: string): void {
  const defines = Object.entries(program.defines).map(([name, value]) => `-D${name}=${value}`)
  const sources = program.sources.map((source) => join(SOURCES, source))
  const output = join(outputDirectory, program.name)
  execFileSync('cc', [...FLAGS, ...defines, ...sources, '-o', output], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** What a caller runs; becomes the Node of this path unless there is a `node` beside it. */
export function buildFront(outputDirectory: string, nodePath = process.execPath): void {
  const defines = { NODE_PATH: JSON.stringify(nodePath) }
  mkdirSync(outputDirectory, { recursive: true })
  buildProgram({ name: 'tsrunc', sources: FRONT_SOURCES, defines }, outputDirectory)
}

export function buildNative(outputDirectory: string): void {
  buildFront(outputDirectory)
}
