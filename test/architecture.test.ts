import { readdirSync, readFileSync } from 'node:fs'
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
  resident: ['resident', 'engine', 'host', 'sys'],
  cli: [
    ...['cli', 'config', 'host', 'fields', 'plan', 'lower', 'engine', 'resident', 'state', 'sys'],
    'version.ts',
  ],
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
  /** `import()`: loaded when it is asked for. */
  readonly isLazy: boolean
}

function readImports(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found = [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'/gm),
    ...text.matchAll(/^import\s+()'([^']+)'/gm),
    ...text.matchAll(/\bimport\(()'([^']+)'\)/g),
  ]
  return found.map(([whole, type, from = '']) => ({
    file: relative(ROOT, file),
    from: from.startsWith('.') ? relative(ROOT, join(dirname(file), from)) : from,
    isType: type !== undefined && type !== '',
    isLazy: whole.startsWith('import('),
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
      (file) =>
        !['src/main.ts', 'src/build.ts', 'src/record-code-cache.ts'].includes(relative(ROOT, file)),
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

describe('what a command loads', () => {
  /** All modules that run before the command does: those that are imported statically. */
  function loadedBy(command: string): readonly string[] {
    const loaded = new Set<string>()
    const queue = ['src/main.ts', `src/cli/commands/${command}.ts`]
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (loaded.has(file)) continue
      loaded.add(file)
      const next = IMPORTS.filter((found) => found.file === file && !found.isType)
      queue.push(...next.filter(({ isLazy }) => !isLazy).map(({ from }) => from))
    }
    return [...loaded]
  }

  it('state, kill, start and delete load no validator, no planner and no libseccomp', () => {
    for (const command of ['state', 'list', 'kill', 'start', 'delete']) {
      const wrong = loadedBy(command).filter((file) =>
        /^src\/(fields\/|config\/(load|checks|validators)|sys\/libseccomp)/.test(file),
      )
      expect(wrong, command).toEqual([])
    }
  })

  it('state and list do without foreign functions', () => {
    for (const command of ['state', 'list']) {
      expect(loadedBy(command), command).not.toContain('src/sys/ffi.ts')
    }
  })

  it('exec loads no validator unless it is given a file', () => {
    const wrong = loadedBy('exec').filter((file) => /^src\/config\/(load|validators)/.test(file))
    expect(wrong).toEqual([])
  })

  it('create does load them (or the names above prove nothing)', () => {
    const files = loadedBy('create')
    expect(files).toContain('src/config/load.ts')
    expect(files).toContain('src/fields/plan-create.ts')
    expect(files).toContain('src/sys/ffi.ts')
  })
})
