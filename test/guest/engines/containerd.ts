/** containerd, with the image of all cases. */
import { makeRootfs, must, ROOTFS_TAR } from './rig.ts'

export const BOX = 'localhost/box:latest'

export function startContainerd(): void {
  makeRootfs()
  must(`
    systemctl start containerd
    podman image exists box || podman import -q ${ROOTFS_TAR} box
    [ -e /tmp/box.tar ] || podman save -q --format oci-archive -o /tmp/box.tar box
    ctr image import --all-platforms --digests=true /tmp/box.tar >/dev/null
    ctr image ls -q | grep -q ${BOX} || ctr image import /tmp/box.tar`)
}
