/**
 * The one door to native code. koffi costs milliseconds to load, so it is loaded at the first
 * call; a command that makes none (`state`, `list`) does not pay for it.
 *
 * Buffers are passed by address. Their memory does not move, and whatever `addressOf` was asked for
 * stays alive until the next system call has returned: a variable that is not read any more does
 * not keep a buffer from the garbage collector.
 */
import { fileURLToPath } from 'node:url'
import type Koffi from 'koffi'
import type { LibraryHandle } from 'koffi'
import { SyscallError } from '../errors.ts'
import { errnoName } from './errno.ts'
import { type Architecture, SYSCALL, type SyscallName } from './syscall-numbers.ts'

/** Set by the build: the library beside the bundle; koffi's own loader takes 10 ms to find it. */
declare const KOFFI_LIBRARY: string | undefined

type Native = (...args: unknown[]) => number | bigint

const libraries = new Map<string, LibraryHandle>()
const functions = new Map<string, Native>()
const held: Uint8Array[] = []
let koffi: typeof Koffi | undefined

function loadKoffi(): typeof Koffi {
  koffi ??= typeof KOFFI_LIBRARY === 'string' ? openLibrary(KOFFI_LIBRARY) : requireKoffi()
  return koffi
}

/** Node's own require would look for a package.json in every directory above. */
function openLibrary(name: string): typeof Koffi {
  const module = { exports: {} }
  process.dlopen(module, fileURLToPath(new URL(name, import.meta.url)))
  return module.exports as typeof Koffi
}

/** When run from source. node:module costs a millisecond: not imported for that. */
function requireKoffi(): typeof Koffi {
  const { createRequire } = process.getBuiltinModule('node:module')
  return createRequire(import.meta.url)('koffi') as typeof Koffi
}

/** A function of a library by its C prototype; throws what dlopen(3) says if there is none. */
export function bindFunction(library: string, prototype: string): Native {
  const key = `${library} ${prototype}`
  const known = functions.get(key)
  if (known !== undefined) return known
  let handle = libraries.get(library)
  if (handle === undefined) {
    handle = loadKoffi().load(library)
    libraries.set(library, handle)
  }
  const bound = handle.func(prototype) as Native
  functions.set(key, bound)
  return bound
}

/** A function of glibc. */
export function bindLibc(prototype: string): Native {
  return bindFunction('libc.so.6', prototype)
}

/** The address of a buffer's memory, good for the next system call. */
export function addressOf(buffer: Uint8Array): bigint {
  held.push(buffer)
  return loadKoffi().address(buffer)
}

/** The C string at an address. */
export function readText(address: bigint): string {
  return loadKoffi().decode(address, 'char', -1) as string
}

/** The machine that this process runs on, as system call tables name it. */
export function hostArchitecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch
  throw new Error(`tsrunc does not run on ${process.arch}: only x64 and arm64`)
}

/** An argument of a system call: a number, or memory to pass by address. */
export type Argument = number | bigint | Uint8Array

/**
 * syscall(2): the result, or a SyscallError that shows `call`. `tolerate` lists errno names that
 * come back as a negative number instead.
 */
export function callKernel(
  name: SyscallName,
  args: readonly Argument[],
  call: string,
  tolerate: readonly string[] = [],
): number {
  const syscall = bindLibc(
    'long syscall(long, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)',
  )
  const words = [0, 1, 2, 3, 4, 5].map((index) => {
    const arg = args[index] ?? 0
    return arg instanceof Uint8Array ? addressOf(arg) : BigInt.asIntN(64, BigInt(arg))
  })
  const result = Number(syscall(SYSCALL[hostArchitecture()][name], ...words))
  const errno = result === -1 ? loadKoffi().errno() : 0
  held.length = 0
  if (result !== -1) return result
  const code = errnoName(errno)
  if (tolerate.includes(code)) return -errno
  throw new SyscallError(name, call, code)
}

/** The errno of the last call made through a bound function. */
export function lastErrno(): string {
  return errnoName(loadKoffi().errno())
}
