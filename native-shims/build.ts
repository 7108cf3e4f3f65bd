/** Builds the native programs with the system's C compiler. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as instructionSet from '../src/lower/instruction-set.ts'

// The build is bundled before it runs, so import.meta does not tell where this file lies.
const SOURCES = resolve('native-shims')

const FLAGS = [
  '-std=c17',
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
  'front-resident.c',
  'supervisor.c',
  'supervisor-message.c',
  'supervisor-notify.c',
  'supervisor-relay.c',
  'supervisor-teardown.c',
  'supervisor-terminal.c',
]

export function buildProgram(program: Program, outputDirectory: string): void {
  const defines = Object.entries(program.defines).map(([name, value]) => `-D${name}=${value}`)
  const sources = program.sources.map((source) => join(SOURCES, source))
  const output = join(outputDirectory, program.name)
  runCompiler([...FLAGS, ...defines, ...sources, '-o', output])
}

/** The compiler of CC, or `cc`. */
export function runCompiler(args: readonly string[]): void {
  const compiler = process.env.CC || 'cc'
  try {
    execFileSync(compiler, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    throw new Error(`no C compiler: ${compiler} is not there (install gcc, or set CC)`)
  }
}

export interface FrontPaths {
  /** Of the Node that the front becomes unless there is a `node` beside it; default: this one. */
  readonly node?: string
  /** Of the socket of the resident planner; default: there never is one. */
  readonly residentSocket?: string
  /** How long it waits for it; for tests on a machine that has much else to do. */
  readonly residentPatienceMs?: number
}

/** What a caller runs. */
export function buildFront(outputDirectory: string, paths: FrontPaths = {}): void {
  writeInstructionSet()
  const { node = process.execPath, residentSocket = '/nonexistent', residentPatienceMs } = paths
  const defines = {
    NODE_PATH: JSON.stringify(node),
    RESIDENT_SOCKET: JSON.stringify(residentSocket),
    ...(residentPatienceMs && { RESIDENT_PATIENCE_MS: String(residentPatienceMs) }),
  }
  mkdirSync(outputDirectory, { recursive: true })
  buildProgram({ name: 'tsrunc', sources: FRONT_SOURCES, defines }, outputDirectory)
}

export const EXECUTOR_SOURCES = [
  'executor.c',
  'executor-verify.c',
  'executor-meet.c',
  'executor-mkpath.c',
  'executor-wait.c',
]

/** What runs programs; the sources of both halves agree by the generated header. */
export function buildExecutor(outputDirectory: string): void {
  writeInstructionSet()
  mkdirSync(outputDirectory, { recursive: true })
  const program = { name: 'tsrunc-executor', sources: EXECUTOR_SOURCES, defines: {} }
  buildProgram(program, outputDirectory)
}

export function buildNative(outputDirectory: string, residentSocket: string): void {
  buildFront(outputDirectory, { residentSocket })
  buildExecutor(outputDirectory)
}

/** Numbers become `NAME`, members of a record `RECORD_MEMBER`, as C spells constants. */
export function writeInstructionSet(): void {
  const lines = Object.entries(instructionSet).flatMap(([name, value]) =>
    typeof value === 'number'
      ? [define(name, value)]
      : Object.entries(value).map(([member, number]) => define(`${name}_${member}`, number)),
  )
  const header = [
    '/* Generated from src/lower/instruction-set.ts. */',
    '#pragma once',
    ...lines,
    '',
  ]
  const file = join(SOURCES, 'instruction-set.generated.h')
  // Tests build in parallel: a header that says the same is not cut short under another's compiler.
  const isThere = existsSync(file) && readFileSync(file, 'utf8') === header.join('\n')
  if (!isThere) writeFileSync(file, header.join('\n'))
}

function define(name: string, value: number): string {
  const constant = name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()
  const suffix = value > 0x7fff_ffff ? 'U' : ''
  return `#define ${constant} ${value < 0 ? `(${value})` : `${value}${suffix}`}`
}
