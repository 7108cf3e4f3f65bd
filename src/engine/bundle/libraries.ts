/** Where the dynamic linker of this host finds libraries, by the rules of ld.so(8). */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Executable, readExecutable } from './elf.ts'

const TRIPLETS: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }
const MULTIARCH = `${TRIPLETS[process.arch] ?? process.arch}-linux-gnu`
/** What a dynamic linker searches without a cache; a container has no cache. */
const BUILT_IN = [
  `/lib/${MULTIARCH}`,
  `/usr/lib/${MULTIARCH}`,
  '/lib64',
  '/usr/lib64',
  '/lib',
  '/usr/lib',
]

/** host path → path in the container. */
export type Files = Map<string, string>

/** Adds the libraries of `program`, and theirs, to `files`. Gives the names that are nowhere. */
export function collectLibraries(program: string, head: Executable, files: Files): string[] {
  const missing: string[] = []
  const queue = [{ path: program, head }]
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    const own = item.head.searched.map((directory) =>
      directory.replaceAll(/\$(ORIGIN|\{ORIGIN\})/g, dirname(String(item?.path))),
    )
    for (const name of item.head.needed) {
      const found = findLibrary(name, own, head.machine)
      if (found === undefined) missing.push(name)
      if (found === undefined || files.has(found.path)) continue
      files.set(found.path, found.place)
      queue.push(found)
    }
  }
  return missing
}

interface Library {
  readonly path: string
  readonly head: Executable
  readonly place: string
}

function findLibrary(name: string, own: readonly string[], machine: number): Library | undefined {
  if (name.includes('/')) return readLibrary(name, machine, name)
  for (const directory of [...own, ...BUILT_IN]) {
    const library = readLibrary(join(directory, name), machine, join(directory, name))
    if (library !== undefined) return library
  }
  for (const directory of configuredDirectories()) {
    // Known to this host's cache only: in the container it goes where no cache is needed.
    const place = join(BUILT_IN.find((known) => existsSync(known)) ?? '/lib', name)
    const library = readLibrary(join(directory, name), machine, place)
    if (library !== undefined) return library
  }
  return undefined
}

function readLibrary(path: string, machine: number, place: string): Library | undefined {
  const head = existsSync(path) ? readExecutable(path) : undefined
  return head?.machine === machine ? { path, head, place } : undefined
}

/** The directories that ldconfig puts into its cache. */
function configuredDirectories(file = '/etc/ld.so.conf', depth = 0): string[] {
  if (depth > 4 || !existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => {
      const included = /^include\s+(\S+)/.exec(line)?.[1]
      if (included === undefined) return [line]
      return expand(included).flatMap((path) => configuredDirectories(path, depth + 1))
    })
}

/** `/etc/ld.so.conf.d/*.conf`: the only kind of pattern that is in use. */
function expand(pattern: string): string[] {
  const directory = dirname(pattern)
  const [prefix = '', suffix] = basename(pattern).split('*')
  if (suffix === undefined) return [pattern]
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
    .map((name) => join(directory, name))
}
