#!/bin/sh
# Makes what a guest boots, as root: build.sh DIRECTORY SUITE PACKAGES LATER_SUITE LATER_PACKAGES. In
# DIRECTORY lie afterwards `disk`, and either `kernel`, the root directory of user-mode Linux out of
# LATER_SUITE with the libraries that it needs, or `vmlinuz` and `initrd` of the disk's own kernel.
# The disk has LATER_SUITE's containerd beside SUITE's: in /opt/containerd-2, on SUITE's C library.
set -eu
directory=$1 suite=$2 packages=$3 later_suite=$4 later_packages=$5
here=$(dirname "$(realpath "$0")")

# Someone else made it while we waited for the lock.
if [ -e "$directory" ]; then exit 0; fi

work=$(mktemp -d "$directory.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$work/done"

# A suite that is no release yet signs for a week at a time, and mirrors lag: what is signed counts.
later=$work/later
mmdebstrap --quiet --variant=extract --format=directory --include="$later_packages" \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  "$later_suite" "$later" "deb http://deb.debian.org/debian $later_suite main"

mmdebstrap --quiet --variant=minbase --format=directory --include="$packages" \
  --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="sh '$here/customize.sh' \"\$1\" '$here'" \
  "$suite" "$work/root"

mkdir -p "$work/root/opt/containerd-2"
mv "$later"/usr/bin/containerd* "$work/root/opt/containerd-2/"

if [ -e "$later/usr/bin/linux.uml" ]; then
  mkdir -p "$work/root/usr/lib/modules"
  mv "$later"/usr/lib/uml/modules/* "$work/root/usr/lib/modules/"
  kernel=$work/done/kernel
  mv "$later" "$kernel"
  ln -s usr/lib usr/lib64 "$kernel"
  mkdir -p "$kernel/proc" "$kernel/dev" "$kernel/media" "$kernel/mnt"
else
  cp "$work"/root/boot/vmlinuz-* "$work/done/vmlinuz"
  cp "$work"/root/boot/initrd.img-* "$work/done/initrd"
fi

truncate -s 8G "$work/done/disk"
mkfs.ext4 -q -F -d "$work/root" -E lazy_itable_init=1 "$work/done/disk"
mv "$work/done" "$directory"
