/** What must be asked of the host before a spec can be planned. */
import { posix } from 'node:path'
import { findListener } from '../config/seccomp-listener.ts'
import type { Hook, Mount, Seccomp, Spec } from '../config/spec.ts'
import type { CreateOptions } from './facts.ts'

export interface Questions {
  /** Host paths whose kind decides a step: bind sources, hook executables. Links are followed. */
  readonly paths: readonly string[]
  /** Host paths that must not be links themselves: facts.paths says `link` of those that are. */
  readonly unfollowed: readonly string[]
  /** Host paths that may be links, whose target then counts: facts.links has those that are. */
  readonly links: readonly string[]
  /** Namespace paths to identify. */
  readonly namespaces: readonly string[]
  /** cgroupsPath, or the container's id where there is none; absent: no cgroup is made. */
  readonly cgroup?: string
  /** Host paths of device nodes. */
  readonly devices: readonly string[]
  /** Whether ids are mapped, for which an unprivileged caller has helpers. */
  readonly mapsIds: boolean
  /** The profile that libseccomp has to compile. */
  readonly seccomp?: Seccomp
  /** The service manager to ask: the system's, or a user's by its bus address. */
  readonly systemd?: { readonly userBus?: string }
}

/** What a command asks that makes nothing which the config names. */
export const NO_QUESTIONS: Questions = {
  paths: [],
  unfollowed: [],
  links: [],
  namespaces: [],
  cgroup: '',
  devices: [],
  mapsIds: false,
}

/** `/dev/core` is made only where it leads somewhere. */
export const KCORE = '/proc/kcore'

/** Mount options that look at a source which is a link. */
const LINK_OPTIONS = ['copy-symlink', 'src-nofollow']

/** The questions that a config raises; `look` answers them with facts. */
export function inquire(spec: Spec, options: CreateOptions): Questions {
  const sources = (spec.mounts ?? []).map((mount) => resolveBindSource(mount, options.bundle))
  const namespaces = (spec.linux?.namespaces ?? []).map(({ path }) => path)
  const { seccomp, devices = [], uidMappings = [] } = spec.linux ?? {}
  return {
    paths: unique([
      KCORE,
      ...sources,
      ...hooksOnHost(spec).map(({ path }) => path),
      findListener(spec).path,
    ]),
    unfollowed: unique([resolveRootfs(spec, options.bundle)]),
    links: unique(
      (spec.mounts ?? [])
        .filter((mount) => LINK_OPTIONS.some((option) => mount.options?.includes(option)))
        .map((mount) => resolveBindSource(mount, options.bundle)),
    ),
    namespaces: unique(namespaces),
    ...(!options.withoutCgroup && { cgroup: spec.linux?.cgroupsPath || options.id }),
    devices: unique(devices.map(({ path }) => posix.normalize(path))),
    mapsIds: uidMappings.length > 0,
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(options.systemdCgroup && {
      systemd: { ...(options.userBus !== undefined && { userBus: options.userBus }) },
    }),
  }
}

/** Absolute host path of the rootfs. */
export function resolveRootfs(spec: Spec, bundle: string): string | undefined {
  return spec.root === undefined ? undefined : posix.resolve(bundle, spec.root.path)
}

/** Options decide what is a bind, the type only says it (many configs say type `none`). */
export function isBind(mount: Mount): boolean {
  const options = mount.options ?? []
  return options.includes('bind') || options.includes('rbind') || mount.type === 'bind'
}

/** Absolute host path of a bind mount's source: a relative one is relative to the bundle. */
export function resolveBindSource(mount: Mount, bundle: string): string | undefined {
  if (!isBind(mount) || mount.source === undefined || mount.source === '') return undefined
  return posix.resolve(bundle, mount.source)
}

/** startContainer's are paths in the container, all others are the host's. */
function hooksOnHost({ hooks = {} }: Spec): readonly Hook[] {
  const { prestart, createRuntime, createContainer, poststart, poststop } = hooks
  return [prestart, createRuntime, createContainer, poststart, poststop].flatMap(
    (list) => list ?? [],
  )
}

function unique(paths: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(paths.filter((path) => path !== undefined).filter((path) => path !== ''))]
}
