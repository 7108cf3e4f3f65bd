/**
 * The build: `npm run build` bundles this file and runs it with plain Node. It fills `bin`:
 * the native front and executor, the JavaScript bundle and the FFI library that it loads.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { buildNative } from '../native-shims/build.ts'
import { compileSchemas } from './config/compile-schemas.ts'

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

async function bundle(directory: string): Promise<void> {
  await build({
    entryPoints: { tsrunc: 'src/main.ts' },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'tsrunc-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    define: {
      TSRUNC_COMMIT: JSON.stringify(describeCommit()),
      KOFFI_LIBRARY: JSON.stringify('./koffi.node'),
    },
    // What is CommonJS (commander, ajv's runtime) requires Node's own modules.
    banner: {
      js: "import{createRequire as $r}from'node:module';const require=$r(import.meta.url);",
    },
    plugins: [noChildProcess],
    logLevel: 'warning',
  })
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

/** By rename: an executable in use cannot be written. The entry comes after what it loads. */
function install(from: string, to: string): void {
  const names = readdirSync(from).toSorted((a) => (a === 'tsrunc.mjs' ? 1 : -1))
  for (const name of names) renameSync(join(from, name), join(to, name))
  const kept = new Set([...names, 'README.md'])
  for (const name of readdirSync(to)) {
    if (!kept.has(name)) rmSync(join(to, name), { recursive: true })
  }
}

async function main(): Promise<void> {
  if (!existsSync('package.json')) throw new Error('run the build at the top of the repository')
  mkdirSync('bin', { recursive: true })
  const staging = mkdtempSync('bin/.build-')
  try {
    await compileSchemas()
    await buildNative(realpathSync(staging))
    await bundle(staging)
    copyForeignFunctionLibrary(staging)
    install(staging, 'bin')
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

await main()
