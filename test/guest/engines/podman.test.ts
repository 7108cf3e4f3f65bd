import { afterAll, beforeAll, describe } from 'vitest'
import { openPodman, preparePodman } from './podman.ts'
import { check, describeEngine, must, ROOTFS_TAR } from './rig.ts'

describeEngine('podman', (runtime) => {
  const { podman, run } = openPodman(runtime)
  const up = 'podman run -d --name $name'

  beforeAll(preparePodman)

  describe('lifecycle', () => {
    run('run', 'podman run --rm box echo hello', /^hello$/m)
    run('run: the exit status', 'podman run --rm box sh -c "exit 7"', 7)
    run('run: no such command', 'podman run --rm box nowhere', 127)
    run('run: a directory', 'podman run --rm box /etc', 126)
    run(
      'run --rootfs',
      'tar -xf /tmp/engine-rootfs.tar -C $(mkdir -p /tmp/r; echo /tmp/r); podman run --rm --rootfs /tmp/r echo hello',
      /hello/,
    )
    run('run -i: stdin', 'echo hello | podman run --rm -i box cat', /^hello$/m)
    run(
      'run -it: a terminal',
      `script -qec '${podman} run --rm -it box tty' /dev/null`,
      /\/dev\/pts\/0/,
    )
    run(
      'create, start, wait',
      'podman create --name $name box sh -c "exit 3" >/dev/null; podman start $name; podman wait $name',
      /^3$/m,
    )
    run(
      'start -a',
      'podman create --name $name box echo hello >/dev/null; podman start -a $name',
      /^hello$/m,
    )
    run('logs', `${up} box echo hello >/dev/null; podman wait $name; podman logs $name`, /^hello$/m)
    run(
      'stop: SIGTERM',
      `${up} box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null; podman stop -t 20 $name; podman wait $name`,
      /^5$/m,
    )
    run(
      'stop: SIGKILL after the time',
      `${up} box sleep 1000 >/dev/null; podman stop -t 1 $name; podman wait $name`,
      /^137$/m,
    )
    run(
      'kill with a signal',
      `${up} box sleep 1000 >/dev/null; podman kill -s KILL $name; podman wait $name`,
      /^137$/m,
    )
    run(
      'restart',
      `${up} box sh -c 'echo up; sleep 1000' >/dev/null; podman restart -t 0 $name; podman logs $name | grep -c up`,
      /^2$/m,
    )
    run(
      '--restart=on-failure:2',
      `${up} --restart=on-failure:2 box sh -c 'echo up; exit 1' >/dev/null; sleep 1; for i in $(seq 30); do [ $(podman logs $name | grep -c up) = 3 ] && break; sleep 1; done; podman logs $name | grep -c up`,
      /^3$/m,
    )
    run(
      'pause, unpause',
      `${up} box sleep 1000 >/dev/null; podman pause $name; podman inspect -f '{{.State.Status}}' $name; podman unpause $name; podman inspect -f '{{.State.Status}}' $name`,
      /paused[\s\S]*running/,
    )
    run(
      'rm -f',
      `${up} box sleep 1000 >/dev/null; podman rm -f -t 0 $name; ! podman container exists $name`,
      /./,
    )
  })

  describe('exec', () => {
    const name = 'for-exec'
    const run = (title: string, text: string, expected: RegExp | number, status = 0) =>
      check(
        title,
        `name=${name}\npodman() { command ${podman} "$@"; }\n${text}`,
        typeof expected === 'number' ? { status: expected } : { output: expected, status },
      )
    beforeAll(() => {
      must(`${podman} run -d --name ${name} box sleep 1000`)
    })
    afterAll(() => {
      must(`${podman} rm -f -t 0 ${name}`)
    })
    run('exec', `podman exec $name echo hello`, /^hello$/m)
    run('exec: the exit status', `podman exec $name sh -c 'exit 9'`, 9)
    run('exec: no such command', `podman exec $name nowhere`, 127)
    run('exec -i', `echo hello | podman exec -i $name cat`, /^hello$/m)
    run('exec -it', `script -qec "${podman} exec -it $name tty" /dev/null`, /\/dev\/pts\/\d/)
    run(
      'exec -u -w -e',
      `podman exec -u user -w /tmp -e A=b $name sh -c 'id -u; pwd; echo $A'`,
      /^1000\n\/tmp\nb$/m,
    )
    run(
      'exec -d',
      `podman exec -d $name touch /tmp/here; sleep 2; podman exec $name ls /tmp`,
      /here/,
    )
    run(
      'exec --privileged',
      `podman exec --privileged $name grep CapEff /proc/self/status`,
      /1ffffffffff/,
    )
    run('top', `podman top $name pid args`, /sleep 1000/)
    run(
      'cp in and out',
      `echo hello >/tmp/in; podman cp /tmp/in $name:/tmp/file; podman cp $name:/tmp/file /tmp/out; cat /tmp/out`,
      /^hello$/m,
    )
  })

  describe('resources', () => {
    const alive = (flags: string) => `${up} ${flags} box sleep 1000 >/dev/null`
    const inside = (flags: string, command: string) => `podman run --rm ${flags} box ${command}`
    run('--memory', inside('--memory 64m', 'cat /sys/fs/cgroup/memory.max'), /^67108864$/m)
    run(
      '--memory: the hog is killed',
      inside('--memory 24m', "sh -c 'head -c 200m /dev/zero | tail'"),
      137,
    )
    run('--cpus', inside('--cpus 0.5', 'cat /sys/fs/cgroup/cpu.max'), /^50000 100000$/m)
    run('--cpu-shares', inside('--cpu-shares 512', 'cat /sys/fs/cgroup/cpu.weight'), /^\d+$/m)
    run('--pids-limit', inside('--pids-limit 20', 'cat /sys/fs/cgroup/pids.max'), /^20$/m)
    run(
      '--ulimit',
      inside('--ulimit nofile=100:200', "sh -c 'ulimit -Sn; ulimit -Hn'"),
      /^100\n200$/m,
    )
    run('--device', inside('--device /dev/zero:/dev/here', 'ls -l /dev/here'), /^c/m)
    run(
      'no other device',
      inside('', "sh -c 'mknod /tmp/d b 98 0; cat /tmp/d'"),
      /not permitted/,
      1,
    )
    run(
      'update --memory',
      `${alive('--memory 64m')}; podman update --memory 128m $name >/dev/null; podman exec $name cat /sys/fs/cgroup/memory.max`,
      /^134217728$/m,
    )
    run(
      'update --cpus',
      `${alive('')}; podman update --cpus 0.25 $name >/dev/null; podman exec $name cat /sys/fs/cgroup/cpu.max`,
      /^25000 100000$/m,
    )
    run(
      'stats',
      `${alive('')}; podman stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' $name`,
      /^1 .*B/m,
    )
  })

  describe('isolation', () => {
    const inside = (flags: string, command: string) => `podman run --rm ${flags} box ${command}`
    run('--read-only', inside('--read-only', 'touch /file'), /Read-only file system/, 1)
    run('--tmpfs', inside('--tmpfs /scratch:size=1m', "sh -c 'df -k /scratch | tail -1'"), /1024/)
    run(
      '-v',
      `mkdir -p /tmp/v; echo hello >/tmp/v/file; ${inside('-v /tmp/v:/v:ro', "sh -c 'exec 2>&1; cat /v/file; touch /v/new'")}`,
      /hello[\s\S]*Read-only/,
      1,
    )
    run(
      '-v U',
      `rm -rf /tmp/u; mkdir /tmp/u; ${inside('-u 1000 -v /tmp/u:/u:U', 'touch /u/file')}; stat -c %u /tmp/u/file`,
      /^1000$/m,
    )
    run(
      'a named volume',
      `podman volume create --ignore vol >/dev/null; ${inside('-v vol:/v', "sh -c 'echo hello >/v/f'")}; ${inside('-v vol:/v', 'cat /v/f')}`,
      /^hello$/m,
    )
    run('--init', inside('--init', 'cat /proc/1/comm'), /init|catatonit/)
    run(
      '--user, --group-add, --workdir',
      inside('-u user --group-add 77 -w /home/user', "sh -c 'id; pwd'"),
      /uid=1000\(user\).*77[\s\S]*\/home\/user/,
    )
    run(
      '--cap-drop, --cap-add',
      inside('--cap-drop all --cap-add net_raw', 'grep CapEff /proc/self/status'),
      /0000000000002000/,
    )
    run('--privileged', inside('--privileged', 'grep CapEff /proc/self/status'), /1ffffffffff/)
    run(
      '--security-opt seccomp=FILE',
      `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >/tmp/seccomp.json; ${inside('--security-opt seccomp=/tmp/seccomp.json', 'mkdir /tmp/d')}`,
      /not permitted/,
      1,
    )
    run(
      '--security-opt no-new-privileges',
      inside('--security-opt no-new-privileges', 'grep NoNewPrivs /proc/self/status'),
      /\t1$/m,
    )
    run(
      '--sysctl',
      inside('--sysctl net.ipv4.ip_forward=1', 'cat /proc/sys/net/ipv4/ip_forward'),
      /^1$/m,
    )
    run('--hostname', inside('--hostname here', 'hostname'), /^here$/m)
    run(
      '--network host, --pid host, --ipc host, --uts host',
      inside('--network host --pid host --ipc host --uts host', 'cat /proc/1/comm'),
      /^systemd$/m,
    )
    run(
      '--cgroupns host',
      inside('--cgroupns host', 'cat /proc/self/cgroup'),
      /0::\/machine.slice\/libpod/,
    )
    run('--shm-size', inside('--shm-size 1m', "sh -c 'df -k /dev/shm | tail -1'"), /1024/)
    run('a network of its own', inside('--network podman', 'ip addr show eth0'), /inet 10\.88\./)
    run(
      'pod with shared namespaces',
      'podman pod create --name $name >/dev/null; trap "podman pod rm -f -t 0 $name >/dev/null" EXIT; podman run -d --pod $name box sleep 1000 >/dev/null; podman run --rm --pod $name box hostname',
      /^c-/m,
    )
    run(
      '--userns=auto',
      inside('--userns=auto:size=1000', 'cat /proc/self/uid_map'),
      /^ +0 +\d+ +1000$/m,
    )
    run(
      '--userns=auto, idmapped volume',
      `rm -rf /tmp/i; mkdir /tmp/i; chmod 777 /tmp/i; ${inside('--userns=auto:size=2000 -v /tmp/i:/i:idmap', 'touch /i/file')}; stat -c %u /tmp/i/file`,
      /^0$/m,
    )
    run(
      '--uidmap',
      inside('--uidmap 0:200000:1000 --gidmap 0:200000:1000', 'cat /proc/self/uid_map'),
      /200000/,
    )
  })

  describe('around it', () => {
    run(
      'healthcheck',
      `${up} --health-cmd 'test -e /bin/busybox' --health-interval disable box sleep 1000 >/dev/null; podman healthcheck run $name && echo healthy`,
      /healthy/,
    )
    run(
      'the cgroupfs manager',
      `command ${podman} --cgroup-manager cgroupfs run --rm --memory 64m box cat /sys/fs/cgroup/memory.max`,
      /^67108864$/m,
    )
    // runc has no flag for it, so podman does not ask it.
    if (runtime.name !== 'runc') {
      run(
        '--cgroups=disabled',
        `podman run -d --name $name --cgroups=disabled box sleep 1000 >/dev/null; cat /proc/$(podman inspect -f '{{.State.Pid}}' $name)/cgroup; podman exec $name cat /sys/fs/cgroup/cgroup.controllers; ! podman pause $name; podman stop -t 0 $name`,
        /^0::\/(?!.*libpod)/m,
      )
    }
    run(
      'build with RUN',
      `d=$(mktemp -d); printf 'FROM box\\nRUN echo hello >/made\\n' >$d/Containerfile; podman build -q --network none -t built $d >/dev/null; podman run --rm built cat /made`,
      /^hello$/m,
    )
    run(
      'a service of Type=notify',
      `systemd-run -q --wait -p Type=notify -p NotifyAccess=all ${podman} run --rm --sdnotify=conmon box sleep 1`,
      0,
    )
    run(
      'preserved descriptors',
      `exec 3</etc/hostname; podman run --rm --preserve-fds 1 box sh -c 'cat <&3'`,
      /^guest$/m,
    )
    run(
      'ten at once',
      `for i in $(seq 10); do podman run -d --name $name-$i box sleep 1000 >/dev/null & done; wait; podman ps -q --filter name=$name | wc -l; podman rm -f -t 0 $(podman ps -q --filter name=$name) >/dev/null; podman ps -aq --filter name=$name | wc -l`,
      /^10\n0$/m,
    )
  })

  describe('an ordinary user', () => {
    const user = (text: string, globals = '') =>
      `loginctl enable-linger user; for i in $(seq 50); do [ -S /run/user/1000/bus ] && break; sleep 0.2; done
       runuser -u user -- env -C /home/user HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus sh -ec '
         trap "command ${podman} rm -f -t 0 r >/dev/null" EXIT
         podman() { command ${podman} ${globals} "$@"; }
         podman image exists box || podman import -q ${ROOTFS_TAR} box
         ${text}'`
    const run = (name: string, text: string, output: RegExp, status = 0) =>
      check(name, user(text), { output, status })
    const up = 'podman run -d --name r --memory 64m box sleep 1000 >/dev/null'
    const scope = 'libpod-$(podman inspect -f {{.Id}} r).scope'

    run('run', 'podman run --rm box id -u', /^0$/m)
    run('exec', `${up}; podman exec r echo hello`, /^hello$/m)
    run(
      'a scope of the own manager',
      `${up}; systemctl --user show -p MemoryMax,ControlGroup ${scope}`,
      /^ControlGroup=\/user\.slice\/.*\/user@1000\.service\/user\.slice\/libpod-.*\nMemoryMax=67108864$/m,
    )
    // By the cgroup namespace of the container.
    run('exec: in the scope', `${up}; podman exec r cat /proc/self/cgroup`, /^0::\/$/m)
    run('--memory', 'podman run --rm --memory 64m box cat /sys/fs/cgroup/memory.max', /^67108864$/m)
    run(
      '--memory: the hog is killed',
      'podman run --rm --memory 24m box sh -c "head -c 200m /dev/zero | tail"',
      /^/,
      137,
    )
    run(
      'update --memory',
      `${up}; podman update --memory 128m r >/dev/null; podman exec r cat /sys/fs/cgroup/memory.max; systemctl --user show -p MemoryMax ${scope}`,
      /^134217728\nMemoryMax=134217728$/m,
    )
    run(
      'pause, unpause',
      `${up}; podman pause r; podman inspect -f {{.State.Status}} r; podman unpause r; podman inspect -f {{.State.Status}} r`,
      /paused[\s\S]*running/,
    )
    run(
      'stop, rm: no scope is left',
      `${up}; podman stop -t 1 r; podman wait r; scope=${scope}; podman rm r; systemctl --user show -p LoadState $scope`,
      /^137$[\s\S]*^LoadState=not-found$/m,
    )
    run('--userns=keep-id', 'podman run --rm --userns=keep-id box id -u', /^1000$/m)
    check(
      'the cgroupfs manager',
      user(
        `${up}; podman exec r cat /sys/fs/cgroup/memory.max; podman update --memory 128m r >/dev/null; podman exec r cat /sys/fs/cgroup/memory.max`,
        '--cgroup-manager cgroupfs',
      ),
      { output: /^67108864\n134217728$/m },
    )
  })
})
