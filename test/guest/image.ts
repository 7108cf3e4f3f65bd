/** What a guest boots: a disk of Debian packages and a kernel, made once and kept outside of here. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { NoGuestError } from './packages.ts'

/** The directory that `image/build.sh` fills. */
export interface Image {
  readonly directory: string
  readonly isFull: boolean
}

const SUITE = 'trixie'
/** What of it is wanted lies beside what the first has, or is not of its disk. */
const LATER_SUITE = 'forky'
/** From 6.16 on it can do without ptrace, which makes it three times as fast. */
const USER_MODE_LINUX = 'user-mode-linux'
const SOURCES = 'test/guest/image'

const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'libpam-systemd', 'dbus', 'dbus-user-session', 'kmod'],
  ...['iproute2', 'procps', 'busybox-static', 'uidmap', 'strace', 'socat', 'apparmor'],
  ...['podman', 'catatonit', 'passt', 'netavark', 'nftables', 'fuse-overlayfs'],
  ...['containerd', 'containernetworking-plugins', 'docker.io', 'docker-cli'],
  ...['docker-buildx', 'tini'],
  ...['crun', 'runc'],
]

/** Of the whole Debian kernel only. */
const FULL_PACKAGES = ['linux-image-amd64', 'initramfs-tools', 'criu']

const DAY = 24 * 3600 * 1000

export function findCache(): string {
  return process.env.TSRUNC_GUEST_CACHE ?? join(homedir(), '.cache', 'tsrunc')
}

/** Builds it unless it is there; `say` is told when it takes long. */
export function provideImage(isFull: boolean, say: (line: string) => void): Image {
  const kind = isFull ? 'full' : 'fast'
  const packages = [...PACKAGES, ...(isFull ? FULL_PACKAGES : [])]
  const later = ['containerd', ...(isFull ? [] : [USER_MODE_LINUX])]
  const args = [SUITE, packages.join(), LATER_SUITE, later.join()]
  const directory = join(findCache(), `${kind}-${hashInputs(args)}`)
  if (!existsSync(directory)) {
    say(`making the guest's disk from Debian ${SUITE}: a few minutes, once`)
    mkdirSync(findCache(), { recursive: true })
    const build = ['sh', join(SOURCES, 'build.sh'), directory, ...args]
    runBuild(build)
    removeOlder(`${kind}-`)
  }
  return { directory, isFull }
}

function runBuild(command: readonly string[]): void {
  const lock = join(findCache(), 'lock')
  const { status } = spawnSync('flock', [lock, ...command], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new NoGuestError('its disk cannot be made: see above')
}

function hashInputs(words: readonly string[]): string {
  const hash = createHash('sha256').update(words.join('\0'))
  for (const name of readdirSync(SOURCES).toSorted()) hash.update(readFileSync(join(SOURCES, name)))
  return hash.digest('hex').slice(0, 12)
}

/** Of other sources; a checkout of another branch may still want one of today. */
function removeOlder(prefix: string): void {
  for (const name of readdirSync(findCache())) {
    const path = join(findCache(), name)
    const isOld = Date.now() - statSync(path).mtimeMs > DAY
    if (name.startsWith(prefix) && isOld) rmSync(path, { recursive: true })
  }
}
