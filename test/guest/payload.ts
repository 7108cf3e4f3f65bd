/** What is given to a guest: tsrunc's tarball and what to run, as one tar. */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { buildTerminal } from '../terminal.ts'

/** Either a shell command, or test files as paths from the top of the repository. */
export type Task = { readonly command: string } | { readonly tests: readonly string[] }

/** Of the caller's environment, what tests look at. */
const PASSED_ON = [
  'TSRUNC_TEST_RUNTIME',
  'TSRUNC_TEST_CGROUP_DRIVER',
  'TSRUNC_TEST_NAME',
  'TSRUNC_TEST_RESIDENT',
  'TSRUNC_ENGINE_RUNTIME',
]

/** A guest that is silent has not come up. */
const SAY_UP = 'echo "guest: up after $(cut -d. -f1 /proc/uptime) s"'

/** Fills the directory, and returns the path of the tar of it. */
export async function makePayload(directory: string, task: Task): Promise<string> {
  mkdirSync(directory)
  const tarball = findTarball()
  copyFileSync(tarball, join(directory, basename(tarball)))
  const checkout = join(directory, 'checkout')
  mkdirSync(checkout)
  cpSync('bundles', join(checkout, 'bundles'), { recursive: true })
  const variables = PASSED_ON.filter((name) => process.env[name]).map(
    (name) => `export ${name}='${process.env[name]}'`,
  )
  const lines = 'command' in task ? [task.command] : await bundleTests(checkout, task.tests)
  writeFileSync(
    join(directory, 'run'),
    ['cd checkout', SAY_UP, ...variables, ...lines, ''].join('\n'),
  )
  const tar = `${directory}.tar`
  execFileSync('tar', ['-cf', tar, '-C', directory, '.'])
  return tar
}

function findTarball(): string {
  const name = readdirSync('bin').find((name) => /^tsrunc-.*\.tar\.gz$/.test(name))
  if (name === undefined) throw new Error('no tarball in bin: npm run dist makes it')
  return join('bin', name)
}

/** One file each, at the place of its source, and their runner; returns how to run them. */
async function bundleTests(checkout: string, tests: readonly string[]): Promise<string[]> {
  const runner = 'test/guest/runner.ts'
  const setup = 'test/containers/each-file.ts'
  await build({
    entryPoints: [runner, setup, ...tests],
    outdir: checkout,
    outbase: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // Not once more in each file: the runner and the tests share one list of suites.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // For packages that are not modules, such as gRPC's.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url)",
    },
    alias: { vitest: './test/guest/vitest.ts' },
    logLevel: 'warning',
  })
  const probe = join(checkout, 'probe')
  execFileSync('cc', ['-static', '-O2', '-o', probe, 'test/containers/probe.c'])
  chmodSync(probe, 0o755)
  const terminal = buildTerminal()
  copyFileSync(terminal.path, join(checkout, 'terminal'))
  terminal.remove()
  const contexts = join(checkout, 'file_contexts')
  const policy = 'test/containers/selinux.cil'
  execFileSync('secilc', ['--output', join(checkout, 'policy'), '--filecontexts', contexts, policy])
  return [
    'export TSRUNC_PROVIDED_PROBE=$PWD/probe TSRUNC_PROVIDED_TERMINAL=$PWD/terminal',
    'export TSRUNC_PROVIDED_POLICY=$PWD/policy',
    'ln -s /opt/tsrunc-* bin',
    `bin/node ${toBundle(runner)} /results/tests.json ${[setup, ...tests].map(toBundle).join(' ')}`,
  ]
}

function toBundle(file: string): string {
  return file.replace(/\.ts$/, '.mjs')
}
