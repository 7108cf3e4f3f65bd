/**
 * What later processes of a container need of its config: kept in the state directory, because
 * the bundle belongs to the caller, who may have changed or removed it since. Of the seccomp profile
 * the compiled filter is kept.
 */
import { hasNamespace } from '../config/checks/check.ts'
import type { Process, Seccomp, Spec } from '../config/spec.ts'
import { StateError } from '../errors.ts'
import type { CreateOptions, Facts, SeccompFacts } from '../host/facts.ts'
import { type ContainerDirectory, readKeptText, writeKeptText } from '../state/store.ts'

export interface KeptConfig {
  /** `process`, what of `linux` holds for each process, and what those are planned with. */
  readonly spec: Spec & { readonly process: Process }
  readonly seccomp?: SeccompFacts
  readonly noNewKeyring: boolean
  /** It has no mount namespace of its own, but a root. */
  readonly sharesMounts: boolean
}

export function writeKeptConfig(
  directory: ContainerDirectory,
  spec: Spec,
  facts: Facts,
  options: CreateOptions,
): void {
  const { ociVersion, process, annotations, mounts, linux } = spec
  const { intelRdt, memoryPolicy, personality, seccomp, uidMappings, gidMappings } = linux ?? {}
  const kept = {
    spec: {
      ociVersion,
      process,
      annotations,
      mounts,
      linux: {
        intelRdt,
        memoryPolicy,
        personality,
        uidMappings,
        gidMappings,
        seccomp: seccomp && withoutRules(seccomp),
      },
    },
    seccomp: facts.seccomp,
    noNewKeyring: options.noNewKeyring,
    sharesMounts: !hasNamespace(spec, 'mount'),
  }
  writeKeptText(directory, JSON.stringify(kept, markLargeIntegers))
}

/** Throws StateError where it is missing or damaged. */
export function readKeptConfig(directory: ContainerDirectory): KeptConfig {
  const { id } = directory
  try {
    const kept = JSON.parse(readKeptText(directory), restoreLargeIntegers) as Partial<KeptConfig>
    if (kept.spec?.process?.cwd !== undefined) return kept as KeptConfig
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new StateError(
    `state of container ${id} is damaged: its config.json is not what create wrote`,
  )
}

/** Which rule is to blame where a call that `exec` itself needs is denied: all else is compiled. */
function withoutRules({ syscalls = [], ...rest }: Seccomp): Seccomp {
  const own = ['execve', 'exit_group', 'capset']
  return {
    ...rest,
    syscalls: syscalls.map(({ action, names }) => ({
      action,
      names: names.filter((name) => own.includes(name)),
    })),
  }
}

/** U+E000 is private: no string of a config begins with it and has nothing but digits after it. */
const MARK = '\uE000'

function markLargeIntegers(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${MARK}${value}` : value
}

function restoreLargeIntegers(_: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value
  const digits = value.slice(MARK.length)
  return /^-?\d+$/.test(digits) ? BigInt(digits) : value
}
