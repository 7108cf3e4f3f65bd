# Runs as pid 1 of the demo's container and tells what it sees there.

# The first of these cgroup files that exists: v1 or v2.
limit() {
  for file in "$@"; do
    if [ -r "/sys/fs/cgroup/$file" ]; then
      cat "/sys/fs/cgroup/$file"
      return
    fi
  done
  echo '?'
}

own= shared=
for name in cgroup ipc mnt net pid time user uts; do
  if grep -qxF "$(readlink /proc/self/ns/$name)" /etc/namespaces-of-the-host; then
    shared="$shared $name"
  else
    own="$own $name"
  fi
done
field() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
quota=$(limit cpu/cpu.cfs_quota_us cpu.max)
memory=$(limit memory/memory.limit_in_bytes memory.max)

echo "hostname      $(cat /proc/sys/kernel/hostname)"
echo "pid 1         $(tr '\0' ' ' </proc/1/cmdline), one of $(ls -d /proc/[0-9]* | grep -c .) processes to be seen"
echo "user          $(id)"
echo "namespaces   $own (own),$shared (the host's)"
echo "limits        memory $memory bytes, cpu ${quota% *} of 100000 µs, $(limit pids/pids.max pids.max) processes, $(ulimit -n) files"
echo "capabilities  $(field CapEff), no new privileges: $(field NoNewPrivs)"
echo "network       $(ls /sys/class/net | tr '\n' ' ')"
echo "mounts        $(sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) \(r[ow]\).* - \([^ ]*\) .*/\1 (\3 \2)/' /proc/self/mountinfo | grep -v '^/\(proc\|sys\)/' | tr '\n' ' ')"
(echo x >/new) 2>/dev/null && echo 'root          can be written' || echo 'root          cannot be written'
