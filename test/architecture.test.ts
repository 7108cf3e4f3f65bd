import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const SOURCES = listFiles(join(ROOT, 'src'), '.ts').filter((file) => !file.includes('.generated.'))

/** What each folder of src may import: the data flows one way (README, layout). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  config: ['config'],
  plan: ['plan'],
  host: ['host', 'config', 'plan', 'sys'],
  fields: ['fields', 'config', 'host', 'plan', 'sys'],
  lower: ['lower', 'plan', 'sys'],
  sys: ['sys', 'config', 'host', 'version.ts'],
  state: ['state', 'config', 'plan', 'lower', 'sys'],
  engine: ['engine', 'config', 'host', 'plan', 'lower', 'state', 'sys', 'version.ts'],
  cli: ['cli', 'config', 'host', 'fields', 'plan', 'lower', 'engine', 'state', 'version.ts'],
}

/** Same result on any machine, without root: no files, no processes, no system calls. */
const PURE = ['fields', 'plan', 'lower']
const PURE_MODULES = ['node:path', 'node:path/posix']
const PURE_OF_SYS = ['src/sys/errno.ts', 'src/sys/syscall-numbers.ts']
/** Vocabularies: one list each, clearer in one piece. */
const LONG = ['src/plan/steps.ts', 'src/config/spec.ts']
const MAX_LINES = 300

function listFiles(directory: string, extension: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(directory, name))
}

interface Import {
  readonly file: string
  readonly from: string
  readonly isType: boolean
}

function readImports(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found = [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'/gm),
    ...text.matchAll(/^import\s+()'([^']+)'/gm),
    ...text.matchAll(/\bimport\(()'([^']+)'\)/g),
  ]
  return found.map(([, type, from = '']) => ({
    file: relative(ROOT, file),
    from: from.startsWith('.') ? relative(ROOT, join(dirname(file), from)) : from,
    isType: type !== undefined && type !== '',
  }))
}

const IMPORTS = SOURCES.flatMap(readImports)
const folderOf = (path: string) => path.replace(/^src\//, '').replace(/\/.*/, '')
const show = ({ file, from }: Import) => `${file} imports ${from}`

describe('the architecture', () => {
  it('folders import only what stands before them in the flow of data', () => {
    const wrong = IMPORTS.filter(({ file, from }) => {
      const allowed = MAY_IMPORT[folderOf(file)]
      if (allowed === undefined || !from.startsWith('src/')) return false
      return from !== 'src/errors.ts' && !allowed.includes(folderOf(from))
    })
    expect(wrong.map(show)).toEqual([])
  })

  it('every folder of src is one of the list', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
    const names = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    expect(names.sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  })

  it('the compiler does no I/O', () => {
    const wrong = IMPORTS.filter(({ file, from, isType }) => {
      if (!PURE.includes(folderOf(file)) || isType) return false
      if (from.startsWith('src/sys/')) return !PURE_OF_SYS.includes(from)
      if (from.startsWith('src/host/'))
        return !['src/host/facts.ts', 'src/host/questions.ts'].includes(from)
      return !from.startsWith('src/') && !PURE_MODULES.includes(from)
    })
    expect(wrong.map(show)).toEqual([])
    const touching = SOURCES.filter((file) => PURE.includes(folderOf(relative(ROOT, file)))).filter(
      (file) => /\bprocess\.(?!args|cwd)\w+\(/.test(readFileSync(file, 'utf8')),
    )
    expect(touching).toEqual([])
  })

  it('koffi is loaded in one file', () => {
    const loading = SOURCES.filter((file) =>
      /(from|require.*\(|=) 'koffi'|: 'koffi'/.test(readFileSync(file, 'utf8')),
    )
    expect(loading.map((file) => relative(ROOT, file))).toEqual(['src/sys/ffi.ts'])
  })

  it('only main exits, only main and the build print', () => {
    const wrong = SOURCES.filter(
      (file) => !['src/main.ts', 'src/build.ts'].includes(relative(ROOT, file)),
    )
      .filter((file) =>
        /\bprocess\.(exit|exitCode|stdout|stderr|stdin|abort)\b|\bconsole\./.test(
          readFileSync(file, 'utf8'),
        ),
      )
      .map((file) => relative(ROOT, file))
    expect(wrong).toEqual([])
  })

  it('files are short enough to be read at once', () => {
    const long = [...SOURCES, ...listFiles(join(ROOT, 'native-shims'), '.c')]
      .map((file) => relative(ROOT, file))
      .filter((file) => !LONG.includes(file))
      .filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > MAX_LINES)
    expect(long).toEqual([])
  })

  it('no barrels, no drawers for everything', () => {
    const names = SOURCES.map((file) => relative(ROOT, file))
    expect(
      names.filter((name) => /(^|\/)(index|utils?|helpers?|common|misc)(\.ts|\/)/.test(name)),
    ).toEqual([])
  })

  it('the top level is the one that is agreed on', () => {
    const agreed =
      'bin bundles native-shims schemas src test package.json package-lock.json tsconfig.json README.md LICENSE biome.json vitest.config.ts node_modules'.split(
        ' ',
      )
    const names = readdirSync(ROOT).filter((name) => !name.startsWith('.'))
    expect(names.filter((name) => !agreed.includes(name))).toEqual([])
  })
})

describe('the built bundle', () => {
  const bin = join(ROOT, 'bin')
  const isBuilt = existsSync(join(bin, 'tsrunc.mjs'))

  /** All chunks that a command loads: statically from its own chunk and from the entry. */
  function loadedBy(command: string): string {
    const entry = readFileSync(join(bin, 'tsrunc.mjs'), 'utf8')
    const chunk = new RegExp(`${command}:async\\(\\)=>\\(await import\\("\\./([^"]+)"\\)\\)`).exec(
      entry,
    )?.[1]
    if (chunk === undefined) throw new Error(`no chunk of ${command} in the bundle`)
    const loaded = new Map<string, string>()
    const queue = ['tsrunc.mjs', chunk]
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (loaded.has(name)) continue
      const text = readFileSync(join(bin, name), 'utf8')
      loaded.set(name, text)
      for (const [, next = ''] of text.matchAll(/(?:from|import)"\.\/(tsrunc[^"]*\.mjs)"/g))
        queue.push(next)
    }
    return [...loaded.values()].join('\n')
  }

  it.skipIf(!isBuilt)('state and kill load no validator, no compiler and no libseccomp', () => {
    for (const command of ['state', 'kill', 'start', 'delete']) {
      const code = loadedBy(command)
      expect(code, command).not.toMatch(/validateConfig/)
      expect(code, command).not.toMatch(/seccomp_init/)
      expect(code, command).not.toMatch(/maskedPaths/)
    }
  })

  it.skipIf(!isBuilt)('state and list do without foreign functions', () => {
    for (const command of ['state', 'list'])
      expect(loadedBy(command), command).not.toMatch(/koffi\.node/)
  })

  it.skipIf(!isBuilt)('create does load them (or the patterns above prove nothing)', () => {
    const code = loadedBy('create')
    expect(code).toMatch(/validateConfig/)
    expect(code).toMatch(/maskedPaths/)
    expect(code).toMatch(/koffi\.node/)
  })
})
