/** The functions of libseccomp that a compiler of profiles needs, typed; nothing decided here. */
import { closeSync, fstatSync, readSync } from 'node:fs'
import type { SeccompArgument, SeccompOperator } from '../config/spec.ts'
import { StepError } from '../errors.ts'
import { errnoName } from './errno.ts'
import { bindFunction, bindLibc } from './ffi.ts'
import { createMemfd } from './memfd.ts'

export interface Libseccomp {
  /** `2.5.4` */
  readonly version: string
  /** `x86_64` → SCMP_ARCH_*; undefined: not known to this version. */
  resolveArchitecture(name: string): number | undefined
  /** A number, negative for system calls that other architectures have. */
  resolveSyscall(name: string): number | undefined
  /** Its number on an architecture; negative where that has no such call. */
  resolveSyscallOf(architecture: number, name: string): number
  /** SCMP_ARCH_* of this process. */
  nativeArchitecture(): number
  openFilter(defaultAction: number): Filter | undefined
}

/** Results are 0 or a negated errno. */
export interface Filter {
  addArchitecture(token: number): number
  optimize(level: number): number
  addRule(action: number, syscall: number, conditions: readonly SeccompArgument[]): number
  /** struct sock_filter[] */
  exportProgram(): Uint8Array
  release(): void
}

const ATTRIBUTE_OPTIMIZE = 8
const UNKNOWN_SYSCALL = -1
/** struct scmp_arg_cmp {unsigned arg; enum scmp_compare op; u64 a; u64 b} */
const CONDITION_SIZE = 24

const OPERATOR: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

let bound: Libseccomp | undefined

export function bindLibseccomp(): Libseccomp {
  bound ??= bind()
  return bound
}

function bind(): Libseccomp {
  const version = readVersion()
  const resolve = bindSeccomp('int seccomp_syscall_resolve_name(const char *name)')
  const resolveOf = bindSeccomp(
    'int seccomp_syscall_resolve_name_arch(uint32 token, const char *name)',
  )
  const native = bindSeccomp('uint32 seccomp_arch_native(void)')
  const resolveArchitecture = bindSeccomp('uint32 seccomp_arch_resolve_name(const char *name)')
  const init = bindSeccomp('uint64 seccomp_init(uint32 action)')
  return {
    version,
    resolveArchitecture(name) {
      return Number(resolveArchitecture(name)) || undefined
    },
    resolveSyscall(name) {
      const number = Number(resolve(name))
      return number === UNKNOWN_SYSCALL ? undefined : number
    },
    resolveSyscallOf: (token, name) => Number(resolveOf(token, name)),
    nativeArchitecture: () => Number(native()),
    openFilter(defaultAction) {
      const context = init(defaultAction)
      return BigInt(context) === 0n ? undefined : makeFilter(context)
    },
  }
}

/** The first function that is bound; its failure is the library's. */
function readVersion(): string {
  const address = loadVersion()()
  const copy = bindLibc('uint64 memcpy(void *to, uint64 from, size_t size)')
  const numbers = new Uint32Array(3)
  copy(numbers, address, numbers.byteLength)
  return numbers.join('.')
}

function loadVersion() {
  try {
    return bindSeccomp('uint64 seccomp_version(void)')
  } catch (cause) {
    const hint = 'install libseccomp2 (Debian, Ubuntu) or libseccomp (Fedora, RHEL, SUSE, Arch)'
    const message = `libseccomp.so.2 cannot be loaded (hint: ${hint})`
    throw new StepError('/linux/seccomp', message, { cause })
  }
}

function bindSeccomp(prototype: string) {
  return bindFunction('libseccomp.so.2', prototype)
}

function makeFilter(context: number | bigint): Filter {
  const addArchitecture = bindSeccomp('int seccomp_arch_add(uint64 filter, uint32 token)')
  const setAttribute = bindSeccomp('int seccomp_attr_set(uint64 filter, int name, uint32 value)')
  const addRule = bindSeccomp(
    'int seccomp_rule_add_array(uint64 filter, uint32 action, int number, uint32 count, const void *conditions)',
  )
  const write = bindSeccomp('int seccomp_export_bpf(uint64 filter, int file)')
  const release = bindSeccomp('void seccomp_release(uint64 filter)')
  return {
    addArchitecture: (token) => Number(addArchitecture(context, token)),
    optimize: (level) => Number(setAttribute(context, ATTRIBUTE_OPTIMIZE, level)),
    addRule(action, syscall, conditions) {
      const encoded = encodeConditions(conditions)
      return Number(addRule(context, action, syscall, conditions.length, encoded))
    },
    exportProgram: () => exportProgram((file) => Number(write(context, file))),
    release: () => void release(context),
  }
}

function encodeConditions(conditions: readonly SeccompArgument[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(1, conditions.length) * CONDITION_SIZE)
  const view = new DataView(bytes.buffer)
  conditions.forEach(({ index, op, value, valueTwo = 0n }, position) => {
    const at = position * CONDITION_SIZE
    view.setUint32(at, index, true)
    view.setUint32(at + 4, OPERATOR[op], true)
    view.setBigUint64(at + 8, value, true)
    view.setBigUint64(at + 16, valueTwo, true)
  })
  return bytes
}

/** Up to 2.5 libseccomp can only write to a file. */
function exportProgram(write: (file: number) => number): Uint8Array {
  const file = createMemfd('tsrunc-seccomp')
  try {
    const result = write(file)
    if (result < 0) {
      throw new StepError('/linux/seccomp', `seccomp_export_bpf(): ${errnoName(-result)}`)
    }
    const program = new Uint8Array(fstatSync(file).size)
    readSync(file, program, 0, program.length, 0)
    return program
  } finally {
    closeSync(file)
  }
}
