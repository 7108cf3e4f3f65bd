/**
 * The build: `npm run build` bundles this file and runs it with plain Node. It fills `bin`:
 * the native front and executor, the JavaScript bundle and the FFI library that it loads.
 * `npm run dist` makes a tarball of the same.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { buildNative } from '../native-shims/build.ts'
import { compileSchemas } from './config/compile-schemas.ts'
import { packTarball } from './dist.ts'

/** What the front gives to Node. */
const LAUNCHER = 'tsrunc.cjs'

/** commander loads it (and half of node:net) for a feature that we do not use: 3 ms. */
const noChildProcess: Plugin = {
  name: 'no-child-process',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/commander/') ? { path: 'empty', namespace: 'empty' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** What launch.ts calls. Not the text of a module, which Node would have to copy to wrap it. */
const MAIN = {
  banner: `(function(require,module,__filename){"use strict";const bundleUrl=require('node:url').pathToFileURL(__filename).href;`,
  footer: '})',
}

/** A hash of all that the build is made from. */
function identifyBuild(): string {
  const hash = createHash('sha256').update(describeCommit())
  for (const folder of ['src', 'native-shims', 'schemas']) {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    for (const name of names
      .filter((name) => /^(?!.*generated).*\.(ts|c|h|json)$/.test(name))
      .toSorted()) {
      hash.update(name).update(readFileSync(join(folder, name)))
    }
  }
  return hash.update(readFileSync('package-lock.json')).digest('hex').slice(0, 12)
}

async function bundle(
  entry: string,
  outfile: string,
  { banner = '', footer = '' } = {},
): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    // CommonJS starts 5 ms sooner than a module, and has a code cache on Node 20, too.
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    supported: { 'dynamic-import': false },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    define: {
      TSRUNC_COMMIT: JSON.stringify(describeCommit()),
      KOFFI_LIBRARY: JSON.stringify('./koffi.node'),
      'import.meta.url': 'bundleUrl',
    },
    banner: { js: banner },
    footer: { js: footer },
    plugins: [noChildProcess],
    logLevel: 'warning',
  })
}

/** Runs two commands, which together go through most of the bundle, and keeps what V8 made. */
async function recordCodeCaches(directory: string): Promise<void> {
  const example = join(directory, 'example')
  mkdirSync(join(example, 'rootfs'), { recursive: true })
  copyFileSync('bundles/podman-like/config.json', join(example, 'config.json'))
  await bundle('src/record-code-cache.ts', join(directory, LAUNCHER))
  for (const command of [
    ['plan', '--bundle', example, 'example'],
    ['--root', example, 'delete', '--force', 'example'],
  ]) {
    // With a variable that takes Node: a resident planner of this very build would record nothing.
    const env = { ...process.env, LISTEN_FDS: '0' }
    const stdio = ['ignore', 'ignore', 'inherit'] as const
    execFileSync(join(directory, 'tsrunc'), command, { env, stdio: [...stdio] })
  }
  rmSync(example, { recursive: true })
}

function describeCommit(): string {
  try {
    const git = ['rev-parse', '--short=12', 'HEAD']
    return execFileSync('git', git, { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return 'unknown'
  }
}

/** The one of koffi's prebuilt libraries that this Node can load (glibc or musl). */
function copyForeignFunctionLibrary(directory: string): void {
  const folder = resolve(`node_modules/@koromix/koffi-linux-${process.arch}`)
  const candidates = [`linux_${process.arch}`, `musl_${process.arch}`]
  for (const candidate of candidates) {
    const file = join(folder, candidate, 'koffi.node')
    try {
      process.dlopen({ exports: {} }, file)
    } catch {
      continue
    }
    copyFileSync(file, join(directory, 'koffi.node'))
    return
  }
  throw new Error(`none of koffi's libraries below ${folder} can be loaded: run npm ci`)
}

/** By rename: an executable in use cannot be written. What is loaded comes before its loader. */
function install(from: string, to: string): void {
  const names = readdirSync(from).toSorted((a) => (a === LAUNCHER ? 1 : -1))
  for (const name of names) renameSync(join(from, name), join(to, name))
  const kept = new Set([...names, 'README.md'])
  for (const name of readdirSync(to)) {
    if (!kept.has(name) && !name.endsWith('.tar.gz')) rmSync(join(to, name), { recursive: true })
  }
}

/** Everything that the runtime consists of, but Node. */
async function fill(directory: string): Promise<void> {
  await compileSchemas()
  // The front of another build does not find it: both halves of each pair are of one make.
  await buildNative(realpathSync(directory), `/run/tsrunc-${identifyBuild()}.sock`)
  await bundle('src/main.ts', join(directory, 'tsrunc.js'), MAIN)
  copyForeignFunctionLibrary(directory)
  await recordCodeCaches(directory)
  await bundle('src/launch-entry.ts', join(directory, LAUNCHER))
}

async function main([target, ...flags]: readonly string[]): Promise<void> {
  if (!existsSync('package.json')) throw new Error('run the build at the top of the repository')
  mkdirSync('bin', { recursive: true })
  if (target === 'dist') {
    process.stdout.write(`${await packTarball(fill, flags.includes('--fast'))}\n`)
    return
  }
  const staging = mkdtempSync('bin/.build-')
  try {
    await fill(staging)
    install(staging, 'bin')
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

await main(process.argv.slice(2))
