/** podman in trouble: many at once, podman or conmon killed. Run by hand: five minutes for each runtime. */
import { beforeAll, describe } from 'vitest'
import { openPodman, preparePodman } from './podman.ts'
import { describeEngine } from './rig.ts'

/**
 * What containers leave where: nothing, when they are removed. What podman was killed before it
 * knew of is not removed by it, but by the runtime, whichever that is.
 */
const LEFT = `states() { ls /run/tsrunc /run/runc /run/crun 2>/dev/null | grep -E '^[0-9a-f]{64}' || true; }
  sleepers() { ps -eo args= | grep -x 'sleep 1000' || true; }
  left() {
    states
    find /sys/fs/cgroup -type d -name '*libpod-*'
    grep -o '/var/lib/containers/storage/overlay/.*/merged' /proc/self/mounts || true
    pgrep -a conmon || true
    sleepers
    podman ps -aq
    systemctl list-units --all --plain --no-legend 'libpod-*' || true
  }
  # Of what ends by itself, in a moment.
  nothing_left() { for _ in $(seq 50); do [ -n "$(left)" ] || { echo nothing left; return; }; sleep 0.2; done; left; return 1; }`

/** A runtime that kills podman before or after a command of it; its conmon lives on. */
const killer = (path: string, command: string, moment: 'before' | 'after') => {
  const kill = 'kill -9 $(cat /tmp/podman-pid); sleep 0.5'
  const line =
    moment === 'before' ? `${kill}; exec ${path} "$@"` : `${path} "$@"; s=$?; ${kill}; exit $s`
  return `cat >/tmp/killer <<'KILLER'
#!/bin/sh
for word; do [ "$word" != ${command} ] || { ${line}; }; done
exec ${path} "$@"
KILLER
  chmod 755 /tmp/killer`
}

describeEngine('podman-killed', (runtime) => {
  const { podman, run } = openPodman(runtime)

  beforeAll(preparePodman)

  const force = `for id in $(states); do ${runtime.path} delete --force $id; echo left to the runtime; done`

  describe('many at once', () => {
    run(
      '50 started',
      `${LEFT}; seq 50 | xargs -P 8 -I N ${podman} run -d --name many-N box sleep 1000 >/dev/null; podman ps -q | wc -l; sleepers | wc -l`,
      /^50\n50$/m,
    )
    run(
      'a command in each of 50',
      `for i in $(seq 50); do podman exec many-$i hostname; done | sort -u | wc -l`,
      /^50$/m,
    )
    run('50 removed', `${LEFT}; podman rm -f -t 0 -a >/dev/null; nothing_left`, /^nothing left$/m)
    run(
      '50 that end by themselves',
      `${LEFT}; seq 50 | xargs -P 8 -I N ${podman} run --rm box echo N | sort -n | sha256sum; seq 50 | sha256sum; nothing_left`,
      /^(\w+) +-\n\1 +-\nnothing left$/m,
    )
  })

  describe('podman is killed', () => {
    for (const command of ['create', 'start']) {
      for (const moment of ['before', 'after'] as const) {
        run(
          `${moment} the runtime's ${command}`,
          `${LEFT}; ${killer(runtime.path, command, moment)}
           sh -c 'echo $$ >/tmp/podman-pid; exec podman --runtime /tmp/killer run -d --name '$name' box sleep 1000' || echo killed
           podman rm -f -t 0 $name >/dev/null; ${force}; nothing_left`,
          /^killed$[\s\S]*^nothing left$/m,
        )
      }
    }
    run(
      'while it is attached: the container lives on',
      `${LEFT}; command ${podman} run --name $name box sh -c 'echo up; sleep 1000' & p=$!
       await up "podman logs $name 2>/dev/null"; kill -9 $p; sleep 1; podman exec $name echo hello; podman rm -f -t 0 $name >/dev/null; nothing_left`,
      /^hello$[\s\S]*^nothing left$/m,
    )
    run(
      'while it executes a command',
      `${LEFT}; podman run -d --name $name box sleep 1000 >/dev/null; command ${podman} exec $name sh -c 'echo up >/up; sleep 1000' & p=$!
       await up "podman exec $name cat /up 2>/dev/null"; kill -9 $p; podman exec $name echo hello; podman rm -f -t 0 $name >/dev/null; nothing_left`,
      /^hello$[\s\S]*^nothing left$/m,
    )
    for (const delay of ['0.1', '0.2', '0.3', '0.5', '0.8']) {
      run(
        `after ${delay} s`,
        `${LEFT}; timeout -s KILL ${delay} ${podman} run -d --name $name box sleep 1000 >/dev/null || true
         sleep 2; podman rm -f -t 0 --ignore $name >/dev/null; ${force}; nothing_left`,
        /^nothing left$/m,
      )
    }
  })

  describe('conmon is killed', () => {
    // The first finds no exit status, says so, and leaves the rest to the second.
    const remove = '{ podman rm -f -t 0 $name >/dev/null || podman rm -f -t 0 $name >/dev/null; }'
    const up = `${LEFT}; podman run -d --name $name box sleep 1000 >/dev/null; kill -9 $(podman inspect -f '{{.State.ConmonPid}}' $name)`
    run('rm -f', `${up}; ${remove}; nothing_left`, /^nothing left$/m)
    run(
      'kill, rm',
      `${up}; podman kill $name; await '' sleepers; ${remove}; nothing_left`,
      /^nothing left$/m,
    )
    run(
      'exec, stop, rm',
      `${up}; podman exec $name echo hello; podman stop -t 0 $name || true; ${remove}; nothing_left`,
      /^hello$[\s\S]*^nothing left$/m,
    )
    run(
      'conmon and the container',
      `${up} $(podman inspect -f '{{.State.Pid}}' $name); sleep 1; podman ps -a --format '{{.Status}}'; ${remove}; nothing_left`,
      /^nothing left$/m,
    )
    run(
      'and started again',
      `${up}; podman stop -t 0 $name >/dev/null || true; podman start $name; podman exec $name echo hello; ${remove}; nothing_left`,
      /^hello$[\s\S]*^nothing left$/m,
    )
  })
})
