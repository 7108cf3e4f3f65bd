#!/bin/sh
# Makes what a guest boots, as root: build.sh DIRECTORY SUITE PACKAGES [KERNEL_SUITE]. In DIRECTORY
# lie afterwards `disk`, and either `kernel`, the root directory of user-mode Linux out of
# KERNEL_SUITE with the libraries that it needs, or `vmlinuz` and `initrd` of the disk's own kernel.
set -eu
directory=$1 suite=$2 packages=$3 kernel_suite=${4-}
here=$(dirname "$(realpath "$0")")

# Someone else made it while we waited for the lock.
if [ -e "$directory" ]; then exit 0; fi

work=$(mktemp -d "$directory.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$work/done"

# A suite that is no release yet signs for a week at a time, and mirrors lag: what is signed counts.
if [ -n "$kernel_suite" ]; then
  kernel=$work/done/kernel
  mmdebstrap --quiet --variant=extract --format=directory --include=user-mode-linux \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    "$kernel_suite" "$kernel" "deb http://deb.debian.org/debian $kernel_suite main"
  ln -s usr/lib usr/lib64 "$kernel"
  mkdir -p "$kernel/proc" "$kernel/dev" "$kernel/media" "$kernel/mnt"
fi

mmdebstrap --quiet --variant=minbase --format=directory --include="$packages" \
  --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="sh '$here/customize.sh' \"\$1\" '$here'" \
  "$suite" "$work/root"

if [ -n "$kernel_suite" ]; then
  mkdir -p "$work/root/usr/lib/modules"
  mv "$kernel"/usr/lib/uml/modules/* "$work/root/usr/lib/modules/"
else
  cp "$work"/root/boot/vmlinuz-* "$work/done/vmlinuz"
  cp "$work"/root/boot/initrd.img-* "$work/done/initrd"
fi

truncate -s 8G "$work/done/disk"
mkfs.ext4 -q -F -d "$work/root" -E lazy_itable_init=1 "$work/done/disk"
mv "$work/done" "$directory"
