/** What the host needs to make and boot a guest: Debian packages, installed where they are missing. */
import { execFileSync, spawnSync } from 'node:child_process'

const PACKAGES = ['mmdebstrap', 'e2fsprogs', 'secilc']
const FULL_PACKAGES = [...PACKAGES, 'qemu-system-x86']

/** Thrown with the reason where this host cannot have a guest. */
export class NoGuestError extends Error {}

export function providePackages(isFull: boolean, say: (line: string) => void): void {
  if (!isFull && process.arch !== 'x64') throw new NoGuestError('user-mode Linux is for x86-64')
  if (process.getuid?.() !== 0)
    throw new NoGuestError('needs root: it installs packages and mounts')
  const missing = (isFull ? FULL_PACKAGES : PACKAGES).filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const names = missing.join(' ')
  say(`installing ${names}`)
  try {
    const stdio = ['ignore', 2, 2] as const
    execFileSync('apt-get', ['-qq', 'update'], { stdio: [...stdio] })
    execFileSync('apt-get', ['-qq', 'install', '--no-install-recommends', ...missing], {
      stdio: [...stdio],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  } catch (error) {
    throw new NoGuestError(`cannot install ${names}: ${String(error)}`)
  }
}

function isInstalled(name: string): boolean {
  const { stdout } = spawnSync('dpkg', ['--status', name], { encoding: 'utf8' })
  return stdout?.includes('\nStatus: install ok installed\n') ?? false
}
