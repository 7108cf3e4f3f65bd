import type { Device, Mount } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import { isBind, KCORE } from '../../host/questions.ts'
import type { BindMount, MakeDevice, MakeSymlink } from '../../plan/steps.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { isOpenedByRuntime, isUserNamespaced } from './user-namespace.ts'

export const devices: Field<readonly Device[]> = {
  plan: planDevices,
  absent: (at, planning) => planDevices([], at, planning),
}

/** Those that the spec promises to every container. */
const DEFAULTS: readonly (readonly [path: string, major: number, minor: number])[] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
]

const LINKS: readonly (readonly [path: string, target: string])[] = [
  ['/dev/ptmx', 'pts/ptmx'],
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
]

/** All that is made in the tree once the mounts are there. */
export function devicePaths(planning: Planning): readonly string[] {
  if (isDevBound(planning)) return []
  const own = planning.spec.linux?.devices ?? []
  return [
    ...DEFAULTS.map(([path]) => path),
    ...own.map(({ path }) => cleanPath(path)),
    ...LINKS.map(([path]) => path),
    ...(planning.spec.process?.terminal === true ? ['/dev/console'] : []),
  ]
}

/** What is bound onto /dev is the host's: nothing is made in it. */
export function isDevBound({ spec }: Planning): boolean {
  const isDev = (mount: Mount) => isBind(mount) && cleanPath(mount.destination) === '/dev'
  return (spec.mounts ?? []).some(isDev)
}

function planDevices(configured: readonly Device[], at: Pointer, planning: Planning): Contribution {
  if (isDevBound(planning)) return {}
  const issues = isUserNamespaced(planning)
    ? configured.flatMap((device, index) => checkOnHost(device, `${at}/${index}`, planning))
    : []
  if (issues.length > 0) return { issues }
  const own = configured.flatMap((device, index) => planOwnDevice(device, `${at}/${index}`))
  const named = new Set(own.map(({ path }) => path))
  const defaults = DEFAULTS.filter(([path]) => !named.has(path))
  const links = LINKS.filter(([path]) => !named.has(path))
  const made = [
    ...defaults.map(([path, major, minor]) => makeDefault(path, major, minor, at)),
    ...own,
  ]
  return {
    steps: [
      ...(isUserNamespaced(planning) ? made.map((step) => bindDevice(step, planning)) : made),
      ...links.map(([path, target]) => makeLink(path, target, at)),
      ...(hasKcore(planning) && !named.has('/dev/core') ? [makeLink('/dev/core', KCORE, at)] : []),
    ],
  }
}

function hasKcore({ facts }: Planning): boolean {
  const kind = facts.paths.get(KCORE)
  return kind !== undefined && kind !== 'missing'
}

/** /dev/ptmx is always the link to the container's own devpts: the host's would open host ptys. */
function planOwnDevice(device: Device, origin: Pointer): MakeDevice[] {
  const path = cleanPath(device.path)
  if (path === '/dev/ptmx') return []
  return [
    {
      kind: 'make-device',
      phase: 'devices',
      origin,
      path,
      type: device.type === 'u' ? 'c' : device.type,
      major: device.major ?? 0,
      minor: device.minor ?? 0,
      // Podman writes the whole st_mode, type bits and all.
      mode: (device.fileMode ?? 0o666) & 0o7777,
      uid: device.uid ?? 0,
      gid: device.gid ?? 0,
    },
  ]
}

/** mknod(2) of a device is the host's privilege; its node shows the same device. */
function bindDevice(step: MakeDevice, planning: Planning): MakeDevice | BindMount {
  const { phase, origin, path } = step
  // A fifo anybody can make.
  if (step.type === 'p') return step
  return {
    kind: 'bind-mount',
    phase,
    origin,
    source: path,
    sourceKind: 'file',
    destination: path,
    recursive: false,
    attributes: UNCHANGED,
    recursiveAttributes: UNCHANGED,
    propagation: [],
    ...(isOpenedByRuntime(planning) && { openedBy: 'runtime' }),
  }
}

/** What is bound must be what the config says. */
function checkOnHost(device: Device, pointer: Pointer, { facts }: Planning): Issue[] {
  const path = cleanPath(device.path)
  if (device.type === 'p' || path === '/dev/ptmx') return []
  const found = facts.devices.get(path)
  const type = device.type === 'u' ? 'c' : device.type
  const isSame =
    found?.type === type && found.major === device.major && found.minor === device.minor
  if (isSame) return []
  const expected =
    `device ${type} ${device.major}:${device.minor} at ${path} of the host, which is bound where` +
    ' a user namespace allows for no new device nodes'
  const other = found && `${found.type} ${found.major}:${found.minor}`
  return [{ pointer, expected, found: other ?? 'no device' }]
}

const UNCHANGED = { set: [], clear: [] } as const

function makeDefault(path: string, major: number, minor: number, origin: Pointer): MakeDevice {
  const phase = 'devices'
  return {
    kind: 'make-device',
    phase,
    origin,
    path,
    type: 'c',
    major,
    minor,
    mode: 0o666,
    uid: 0,
    gid: 0,
  }
}

function makeLink(path: string, target: string, origin: Pointer): MakeSymlink {
  return { kind: 'make-symlink', phase: 'devices', origin, target, path }
}
