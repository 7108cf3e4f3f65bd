#!/bin/sh
# The last step of the disk: $1 is its root directory, $2 the folder of this file.
set -eu
root=$1 from=$2
units=$root/etc/systemd/system

install -m 755 "$from/guest-agent.sh" "$root/usr/local/lib/guest-agent.sh"
install -m 644 "$from/guest-agent.service" "$units/guest-agent.service"
chroot "$root" systemctl --quiet enable guest-agent.service

# Each suite starts the engine that it is about.
chroot "$root" systemctl --quiet disable containerd.service docker.service docker.socket \
  podman-auto-update.timer podman-restart.service podman-clean-transient.service
# A process costs tens of milliseconds here, and nothing of the following is missed.
for unit in getty@ serial-getty@ console-getty apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap systemd-tmpfiles-clean.timer \
  ldconfig systemd-journal-catalog-update systemd-update-done systemd-sysusers \
  systemd-random-seed systemd-pstore systemd-machine-id-commit systemd-journal-flush \
  systemd-hwdb-update netavark-dhcp-proxy.socket netavark-dhcp-proxy systemd-hostnamed.socket \
  modprobe@ systemd-sysext.socket systemd-creds.socket apparmor \
  systemd-firstboot sys-kernel-debug.mount sys-kernel-tracing.mount kmod-static-nodes \
  systemd-tmpfiles-setup-dev-early systemd-update-utmp systemd-networkd; do
  case $unit in *.*) ;; *) unit=$unit.service ;; esac
  ln -sf /dev/null "$units/$unit"
done
rm -f "$root/etc/machine-id"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
touch "$root/etc/.updated" "$root/var/.updated"
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/guest.conf"

# An ordinary user, for rootless containers.
chroot "$root" useradd --create-home --uid 1000 --shell /bin/sh user
echo 'user:100000:65536' | tee "$root/etc/subuid" >"$root/etc/subgid"
echo guest >"$root/etc/hostname"
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
echo '/dev/root / auto defaults,noatime 0 0' >"$root/etc/fstab"

# The whole kernel brings an initrd for any machine; this one has its disk on virtio.
if [ -e "$root/etc/initramfs-tools" ]; then
  printf 'MODULES=list\n' >"$root/etc/initramfs-tools/conf.d/guest"
  printf 'virtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
  chroot "$root" update-initramfs -u
fi
