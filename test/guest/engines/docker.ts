/** Docker's daemon, with a runtime as its default one and the configuration of the README. */
import { writeFileSync } from 'node:fs'
import { makeRootfs, must, ROOTFS_TAR, type Runtime, readmeBlock } from './rig.ts'

/** There is no network to bridge, and no image to pull. */
const ENVIRONMENT = { iptables: false, ip6tables: false, bridge: 'none' }

/** Afresh; the image of all cases is `box`. */
export function startDocker(runtime: Runtime, driver: string, more: object = {}): void {
  const config = {
    ...ENVIRONMENT,
    ...(runtime.name === 'tsrunc'
      ? (JSON.parse(readmeBlock('Docker')) as object)
      : {
          'default-runtime': 'tested',
          runtimes: { tested: { path: runtime.path } },
        }),
    'exec-opts': [`native.cgroupdriver=${driver}`],
    ...more,
  }
  makeRootfs()
  must('mkdir -p /etc/docker; systemctl stop docker docker.socket')
  writeFileSync('/etc/docker/daemon.json', JSON.stringify(config))
  must('systemctl reset-failed docker || true; systemctl start docker', 120)
  must(`docker image inspect box >/dev/null || docker import ${ROOTFS_TAR} box`)
}

export function stopDocker(): void {
  must('systemctl stop docker docker.socket')
}
