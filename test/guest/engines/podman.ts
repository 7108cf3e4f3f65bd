/** podman on top of a runtime: what its test files have in common. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { check, makeRootfs, must, ROOTFS_TAR, type Runtime, readmeBlock } from './rig.ts'

/** The image `box`, and the README's configuration. */
export function preparePodman(): void {
  makeRootfs()
  mkdirSync('/etc/containers', { recursive: true })
  // The guest's nft lacks what the rules want, and most cases need no network.
  const network = '[network]\nfirewall_driver = "none"\n[containers]\nnetns = "none"\n'
  writeFileSync('/etc/containers/containers.conf', `${readmeBlock('Podman')}\n${network}`)
  // Where --userns=auto takes its ids from.
  must(
    'grep -q containers /etc/subuid || echo containers:1000000:1000000 | tee -a /etc/subuid >>/etc/subgid',
  )
  must(`podman image exists box || podman import -q ${ROOTFS_TAR} box`)
}

/** `podman` with the runtime; its scripts know it by that name, and have a fresh `$name`. */
export function openPodman({ name, path }: Runtime, flags = '') {
  const podman = ['podman', name === 'tsrunc' ? '' : `--runtime ${path}`, flags].join(' ').trim()
  const script = (text: string) =>
    `name=c-$(cat /proc/sys/kernel/random/uuid)
     podman() { command ${podman} "$@"; }
     # await VALUE COMMAND: until that is its output.
     await() { for _ in $(seq 60); do [ "$(eval "$2")" != "$1" ] || return 0; sleep 0.2; done; eval "$2"; return 1; }
     trap 'podman rm -f -t 0 "$name" >/dev/null 2>&1 || true' EXIT
     ${text}`
  const run = (title: string, text: string, expected: RegExp | number, status = 0) =>
    typeof expected === 'number'
      ? check(title, script(text), { status: expected })
      : check(title, script(text), { output: expected, status })
  return { podman, run }
}
