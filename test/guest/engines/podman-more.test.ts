/** What fewer users type at podman. Run by hand: it takes longer than a change can wait for. */
import { beforeAll, describe } from 'vitest'
import { openPodman, preparePodman } from './podman.ts'
import { describeEngine, must, ROOTFS_TAR } from './rig.ts'

const MEMORY = '/sys/fs/cgroup/memory'

const inside = (flags: string, command: string) => `podman run --rm ${flags} box ${command}`
const alive = (flags = '', command = 'sleep 1000') =>
  `podman run -d --name $name ${flags} box ${command} >/dev/null`
/** A pod that the case's container is in; it is removed with what it holds. */
const pod = (flags: string) =>
  `trap 'podman pod rm -f -t 0 $name-pod >/dev/null' EXIT; podman pod create --name $name-pod ${flags} >/dev/null`
/** Whether two containers share their namespaces, a line for each. */
const compare = (a: string, b: string, namespaces: string) =>
  `for ns in ${namespaces}; do
     [ $(podman exec ${a} readlink /proc/self/ns/$ns) = $(podman exec ${b} readlink /proc/self/ns/$ns) ] && echo $ns same || echo $ns other
   done`
/** The host's program of systemd, in a container that has none. */
const SYSTEMD = '-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro'
const service = (command: string) =>
  `systemd-run -q --wait --collect -p Type=notify -p NotifyAccess=all -p TimeoutStartSec=30 ${command}`

describeEngine('podman-more', (runtime) => {
  const { podman, run } = openPodman(runtime)

  beforeAll(preparePodman)

  for (const manager of ['systemd', 'cgroupfs']) {
    describe(`resources by ${manager}`, () => {
      const { podman, run } = openPodman(runtime, `--cgroup-manager ${manager}`)
      const updated = (flags: string, file: string) =>
        `${alive()}; podman update ${flags} $name >/dev/null; podman exec $name cat /sys/fs/cgroup/${file}`
      run('run', inside('', 'echo hello'), /^hello$/m)
      run(
        'exec, pause, unpause, kill, wait',
        `${alive()}; podman exec $name echo hello; podman pause $name >/dev/null; podman inspect -f '{{.State.Status}}' $name
         podman unpause $name >/dev/null; podman kill $name >/dev/null; podman wait $name`,
        /^hello\npaused\n137$/m,
      )
      // Newer runtimes have another formula.
      run('update --cpu-shares', updated('--cpu-shares 2048', 'cpu.weight'), /^(79|174)$/m)
      run(
        'update --cpu-quota --cpu-period',
        updated('--cpu-quota 20000 --cpu-period 50000', 'cpu.max'),
        /^20000 50000$/m,
      )
      run('update --pids-limit', updated('--pids-limit 33', 'pids.max'), /^33$/m)
      run(
        'update --memory-reservation',
        updated('--memory-reservation 32m', 'memory.low'),
        /^33554432$/m,
      )
      run(
        'update --memory --memory-swap',
        updated('--memory 64m --memory-swap 64m', 'memory.max'),
        /^67108864$/m,
      )
      run(
        'update --cpuset-cpus',
        `grep -q cpuset /sys/fs/cgroup/cgroup.controllers || { echo no cpuset; exit 77; }
         ${updated('--cpuset-cpus 0', 'cpuset.cpus')}`,
        /^0$/m,
      )
      run(
        '--memory-reservation',
        inside('--memory-reservation 32m', `cat ${MEMORY}.low`),
        /^33554432$/m,
      )
      run('--pids-limit -1', inside('--pids-limit -1', 'cat /sys/fs/cgroup/pids.max'), /^max$/m)
      run(
        '--cgroup-conf',
        inside('--cgroup-conf memory.high=50331648', `cat ${MEMORY}.high`),
        /^50331648$/m,
      )
      run(
        '--cgroup-parent',
        inside(
          `--cgroupns host --cgroup-parent ${manager === 'systemd' ? 'made-here.slice' : '/made-here'}`,
          'cat /proc/self/cgroup',
        ),
        /0::\/made-?\/?.*here(\.slice)?\/.*libpod/,
      )
      run(
        '--cgroups=no-conmon',
        inside('--cgroups=no-conmon --cgroupns host', 'cat /proc/self/cgroup'),
        /0::\/.*libpod/,
      )
      run(
        '--cgroups=disabled',
        inside('--cgroups=disabled --cgroupns host', 'cat /proc/self/cgroup'),
        /0::\/((?!libpod).)*$/m,
      )
      run(
        '--cgroups=split',
        `systemd-run -q --wait --pipe -p Delegate=yes --unit $name ${podman} run --rm --cgroups=split --cgroupns host box cat /proc/self/cgroup`,
        /0::\/system.slice\/c-.*\.service\/libpod-payload/,
      )
      run(
        'a pod with limits',
        `${pod('--memory 64m --cpus 0.5')}
         podman run -d --name $name --pod $name-pod box sleep 1000 >/dev/null
         path=$(sed s/0::// /proc/$(podman inspect -f '{{.State.Pid}}' $name)/cgroup)
         cat /sys/fs/cgroup$path/../memory.max /sys/fs/cgroup$path/../../memory.max 2>/dev/null`,
        /^67108864$/m,
      )
      run(
        '--ulimit',
        inside(
          '--ulimit nofile=100:200 --ulimit core=0 --ulimit stack=1048576',
          'sh -c "ulimit -Hn; ulimit -c; ulimit -Hs"',
        ),
        /^200\n0\n1024$/m,
      )
    })
  }

  describe('devices and block I/O', () => {
    const disk =
      'numbers=$(stat -c "%Hd %Ld" /); disk=/dev/made-disk; [ -e $disk ] || mknod $disk b $numbers'
    run(
      '--device: read only',
      `${disk}; ${inside('--device $disk:/dev/here:r', "sh -c 'exec 2>&1; head -c 1 /dev/here >/dev/null && echo read; echo >/dev/here'")}`,
      /^read\n.*not permitted/m,
      1,
    )
    run(
      '--device: a directory',
      `mkdir -p /dev/made; [ -e /dev/made/a ] || mknod /dev/made/a c 1 3; ${inside('--device /dev/made:/dev/other', 'ls -l /dev/other')}`,
      /^c.*a$/m,
    )
    run(
      '--device-cgroup-rule',
      `${disk}
       ${inside('--cap-add mknod --device-cgroup-rule "b $(stat -c %Hr:%Lr $disk) r"', 'sh -c "mknod /tmp/d b $numbers; head -c 1 /tmp/d >/dev/null && echo read"')}`,
      /^read$/m,
    )
    for (const [flag, word] of [
      ['--device-read-bps', 'rbps'],
      ['--device-write-iops', 'wiops'],
    ] as const) {
      run(
        flag,
        `${disk}; ${inside(`${flag} $disk:1048576`, 'cat /sys/fs/cgroup/io.max')}`,
        new RegExp(`${word}=1048576`),
      )
    }
    run(
      '--blkio-weight',
      `[ -e /sys/fs/cgroup/system.slice/io.weight ] || [ -e /sys/fs/cgroup/system.slice/io.bfq.weight ] || { echo no io.weight; exit 77; }
       ${inside('--blkio-weight 200', 'sh -c "cat /sys/fs/cgroup/io.*weight"')}`,
      /\d/,
    )
    run('--oom-score-adj', inside('--oom-score-adj 300', 'cat /proc/self/oom_score_adj'), /^300$/m)
  })

  describe('namespaces', () => {
    const sharing = (flags: string) =>
      `${pod(flags)}
       podman run -d --name $name --pod $name-pod box sleep 1000 >/dev/null
       podman run -d --name $name-b --pod $name-pod box sleep 1000 >/dev/null
       ${compare('$name', '$name-b', 'net ipc uts pid')}`
    run(
      'a pod: what it shares by itself',
      sharing(''),
      /^net same\nipc same\nuts same\npid other$/m,
    )
    run(
      'a pod: --share',
      sharing('--share net,ipc,uts,pid'),
      /^net same\nipc same\nuts same\npid same$/m,
    )
    run(
      'a pod: --share ipc',
      sharing('--share ipc'),
      /^net other\nipc same\nuts other\npid other$/m,
    )
    run(
      'a pod: its processes',
      `${pod('--share pid')}; podman run -d --name $name --pod $name-pod box sleep 1000 >/dev/null; podman exec $name ps`,
      /catatonit[\s\S]*sleep 1000/,
    )
    run(
      'a pod: pause, unpause, top, stats, kill',
      `${pod('')}; podman run -d --name $name --pod $name-pod box sleep 1000 >/dev/null
       podman pod pause $name-pod >/dev/null; podman inspect -f '{{.State.Status}}' $name
       podman pod unpause $name-pod >/dev/null; podman inspect -f '{{.State.Status}}' $name
       podman pod top $name-pod args; podman pod stats --no-stream --format '{{.PIDS}}' $name-pod
       podman pod kill $name-pod >/dev/null; podman wait $name`,
      /^paused\nrunning\n[\s\S]*sleep 1000[\s\S]*^137$/m,
    )
    run(
      'a pod: stop, start',
      `${pod('')}; podman run -d --name $name --pod $name-pod box sleep 1000 >/dev/null
       podman pod stop -t 0 $name-pod >/dev/null; podman inspect -f '{{.State.Status}}' $name
       podman pod start $name-pod >/dev/null; podman exec $name echo hello`,
      /^exited\nhello$/m,
    )
    run(
      'a pod: a container before the others',
      `${pod('')}; podman create --name $name-i --init-ctr once --pod $name-pod -v $name:/v box touch /v/made >/dev/null
       podman create --name $name --pod $name-pod -v $name:/v box ls /v >/dev/null
       podman pod start $name-pod >/dev/null; podman wait $name; podman logs $name`,
      /^0\nmade$/m,
    )
    run(
      'a pod with a user namespace',
      `${pod('--userns=auto:size=1000')}; podman run --rm --pod $name-pod box cat /proc/self/uid_map`,
      /^ +0 +\d+ +1000$/m,
    )
    for (const [flag, namespace] of [
      ['--pid', 'pid'],
      ['--network', 'net'],
      ['--ipc', 'ipc'],
      ['--uts', 'uts'],
      ['--cgroupns', 'cgroup'],
    ] as const) {
      run(
        `${flag}=container:`,
        `trap 'podman rm -f -t 0 --depend $name >/dev/null' EXIT; ${alive('--ipc shareable')}
         podman run -d --name $name-b ${flag}=container:$name box sleep 1000 >/dev/null
         ${compare('$name', '$name-b', namespace)}`,
        new RegExp(`^${namespace} same$`, 'm'),
      )
    }
    run(
      '--userns=container:',
      `trap 'podman rm -f -t 0 --depend $name >/dev/null' EXIT; ${alive('--userns=auto:size=500')}
       podman run -d --name $name-b --userns=container:$name box sleep 1000 >/dev/null
       ${compare('$name', '$name-b', 'user')}`,
      /^user same$/m,
    )
    run(
      '--pid=container: and its end',
      `trap 'podman rm -f -t 0 --depend $name >/dev/null' EXIT; ${alive()}
       podman run -d --name $name-b --pid=container:$name box sleep 1000 >/dev/null
       podman kill $name >/dev/null; podman wait $name $name-b`,
      /^137\n137$/m,
    )
    run('--userns=keep-id, as root', inside('--userns=keep-id', 'id -u'), /^0$/m)
    run(
      '--userns=host --pid host',
      inside('--userns=host --pid host', 'cat /proc/1/comm'),
      /^systemd$/m,
    )
    run(
      '--network ns:',
      `ip netns add $name; trap 'ip netns del $name' EXIT; ${inside('--network ns:/run/netns/$name', 'readlink /proc/self/ns/net')}; echo "net:[$(stat -Lc %i /run/netns/$name)]"`,
      /^(net:\[\d+\])\n\1$/m,
    )
    run(
      '--hostname, --no-hostname',
      inside('--hostname here.there', 'cat /etc/hostname'),
      /^here.there$/m,
    )
  })

  describe('mounts', () => {
    const shared = 'd=$(mktemp -d); mkdir $d/sub; mount -t tmpfs none $d/sub'
    run(
      'bind: ro',
      `d=$(mktemp -d); ${inside('--mount type=bind,src=$d,dst=/m,ro', 'touch /m/f')}`,
      /Read-only/,
      1,
    )
    run(
      'bind: ro is not recursive by itself',
      `${shared}; ${inside('--mount type=bind,src=$d,dst=/m,ro', 'touch /m/sub/f')} && echo written`,
      /^written$/m,
    )
    // No option of podman says so; newer ones ask the runtime's `features`.
    run(
      'bind: ro that a precreate hook makes recursive',
      `${shared}; h=$(mktemp -d); printf '#!/bin/sh\\nsed s/\\\\"ro\\\\"/\\\\"rro\\\\"/g\\n' >$h/hook; chmod 755 $h/hook
       printf '{"version":"1.0.0","hook":{"path":"%s/hook"},"when":{"always":true},"stages":["precreate"]}' $h >$h/hook.json
       command ${podman} --hooks-dir $h run --rm --mount type=bind,src=$d,dst=/m,ro box touch /m/sub/f`,
      /Read-only/,
      1,
    )
    run(
      'bind: bind-nonrecursive',
      `${shared}; touch $d/sub/f; ${inside('--mount type=bind,src=$d,dst=/m,bind-nonrecursive', 'ls /m/sub')} && echo end`,
      /^end$/m,
    )
    run(
      'bind: propagation to the host',
      `d=$(mktemp -d); mount --bind $d $d; mount --make-shared $d; mkdir $d/sub
       ${inside('--privileged -v $d:/m:rshared', 'mount -t tmpfs none /m/sub')}; grep $d/sub /proc/mounts`,
      /^none .*tmpfs/m,
    )
    run(
      'bind: propagation into the container',
      `d=$(mktemp -d); mount --bind $d $d; mount --make-shared $d; mkdir $d/sub
       ${alive('-v $d:/m:rslave')}; mount -t tmpfs none $d/sub; podman exec $name grep -c /m/sub /proc/mounts`,
      /^1$/m,
    )
    run(
      'bind: noexec, nosuid, nodev',
      `d=$(mktemp -d); ${inside('-v $d:/m:noexec,nosuid,nodev', 'grep /m /proc/mounts')}`,
      /nosuid,nodev,noexec/,
    )
    run(
      'bind: a file',
      `echo hello >/tmp/f; ${inside('-v /tmp/f:/etc/made/f', 'cat /etc/made/f')}`,
      /^hello$/m,
    )
    run(
      'bind: a source that is a link',
      `d=$(mktemp -d); echo hello >$d/a; ln -s a $d/b; ${inside('-v $d/b:/f', 'cat /f')}`,
      /^hello$/m,
    )
    run(
      '-v O: what is written is thrown away',
      `d=$(mktemp -d); echo hello >$d/a; ${inside('-v $d:/m:O', 'sh -c "cat /m/a; touch /m/b"')}; ls $d`,
      /^hello\na$/m,
    )
    run(
      '-v U with --userns=auto',
      `d=$(mktemp -d); touch $d/f; ${inside('--userns=auto:size=1000 -v $d:/m:U', 'stat -c %u:%g /m/f')}; stat -c %u $d/f`,
      /^0:0\n1\d{6}$/m,
    )
    run(
      '-v idmap: ids of its own',
      `d=$(mktemp -d); chown 5:5 $d; ${inside("-v $d:/m:'idmap=uids=5-1000-1;gids=5-1000-1'", 'stat -c %u:%g /m')}`,
      /^1000:1000$/m,
    )
    run(
      '--mount type=tmpfs: what was there is copied',
      inside(
        '--mount type=tmpfs,dst=/etc,tmpfs-size=1m,tmpfs-mode=0700',
        'sh -c "stat -c %a /etc; ls /etc"',
      ),
      /^700\n[\s\S]*passwd/m,
    )
    run(
      '--mount type=tmpfs,notmpcopyup',
      inside('--mount type=tmpfs,dst=/home,notmpcopyup', 'sh -c "ls /home; echo end"'),
      /^end$/m,
    )
    run('--mount type=ramfs', inside('--mount type=ramfs,dst=/m', 'grep /m /proc/mounts'), /ramfs/)
    run('--mount type=devpts', inside('--mount type=devpts,dst=/m', 'ls /m'), /ptmx/)
    run(
      '--mount type=image',
      inside('--mount type=image,src=box,dst=/m', 'cat /m/etc/passwd'),
      /^root/m,
    )
    run(
      '--mount type=glob',
      `d=$(mktemp -d); touch $d/a $d/b; ${inside('--mount type=glob,src=$d/\\*,dst=/m', 'ls /m')}`,
      /^a\nb$/m,
    )
    run(
      '--mount type=volume, a part of it',
      `podman volume create $name >/dev/null; d=$(podman volume inspect -f '{{.Mountpoint}}' $name); mkdir $d/sub; touch $d/sub/f
       ${inside('--mount type=volume,src=$name,dst=/m,subpath=sub', 'ls /m')}; podman volume rm $name >/dev/null`,
      /^f$/m,
    )
    run(
      '--volumes-from',
      `trap 'podman rm -f -v -t 0 $name >/dev/null' EXIT; podman create --name $name -v /data box true >/dev/null; ${inside('--volumes-from $name', 'touch /data/f')}; ${inside('--volumes-from $name', 'ls /data')}`,
      /^f$/m,
    )
    run(
      'a volume of the options tmpfs',
      `podman volume create -o type=tmpfs -o device=tmpfs -o o=size=1m $name >/dev/null; ${inside('-v $name:/m', 'sh -c "df -k /m | tail -1"')}; podman volume rm $name >/dev/null`,
      /1024/,
    )
    run(
      '--read-only, --tmpfs',
      inside(
        '--read-only --tmpfs /scratch',
        'sh -c "touch /scratch/f /tmp/f /run/f /dev/shm/f; echo written; touch /f"',
      ),
      /^written[\s\S]*Read-only/m,
      1,
    )
    run(
      '--read-only --read-only-tmpfs=false',
      inside('--read-only --read-only-tmpfs=false', 'touch /tmp/f'),
      /Read-only/,
      1,
    )
    run(
      '--rootfs: an overlay',
      `rm -rf /tmp/o; mkdir /tmp/o; tar -xf ${ROOTFS_TAR} -C /tmp/o; podman run --rm --rootfs /tmp/o:O touch /made; ls /tmp/o/made`,
      /No such file/,
      2,
    )
    run(
      '--rootfs: idmapped',
      `rm -rf /tmp/o; mkdir /tmp/o; tar -xf ${ROOTFS_TAR} -C /tmp/o; ln -s /proc/mounts /tmp/o/etc/mtab; podman run --rm --uidmap 0:200000:1000 --gidmap 0:200000:1000 --rootfs /tmp/o:idmap stat -c %u /etc`,
      /^0$/m,
    )
    run(
      '--secret',
      `echo -n hidden | podman secret create $name - >/dev/null; ${inside('--secret $name,target=s,mode=0400,uid=1000', 'sh -c "stat -c %u:%a /run/secrets/s; cat /run/secrets/s"')}; podman secret rm $name >/dev/null`,
      /^1000:400\nhidden/m,
    )
    run(
      '--add-host, --dns',
      inside(
        '--network podman --add-host here:10.0.0.1 --dns 10.0.0.2',
        'cat /etc/hosts /etc/resolv.conf',
      ),
      /10.0.0.1\s+here[\s\S]*nameserver 10.0.0.2/,
    )
    run(
      '--systemd=always',
      inside(
        '--systemd=always',
        'sh -c "grep -c tmpfs./run /proc/mounts; mkdir /sys/fs/cgroup/made && echo made"',
      ),
      /^\d\nmade$/m,
    )
  })

  describe('security', () => {
    run(
      '--security-opt mask=',
      inside('--security-opt mask=/etc/passwd', 'sh -c "wc -c </etc/passwd"'),
      /^0$/m,
    )
    run(
      'masked by itself',
      inside(
        '',
        'sh -c "ls /sys/firmware | wc -l; wc -c </proc/keys; echo >/proc/sys/kernel/hostname"',
      ),
      /^0\n0\n.*Read-only file system/m,
      1,
    )
    run(
      '--security-opt unmask=ALL',
      inside('--security-opt unmask=ALL', 'grep -c " /proc/" /proc/mounts'),
      /^0$/m,
      1,
    )
    run(
      '--security-opt unmask=PATH',
      inside(
        '--security-opt unmask=/proc/timer_list:/proc/keys',
        'grep -c -e /proc/timer_list -e /proc/keys /proc/mounts',
      ),
      /^0$/m,
      1,
    )
    run(
      '--security-opt proc-opts',
      inside('--security-opt proc-opts=hidepid=2', 'grep " /proc proc" /proc/mounts'),
      /hidepid=(2|invisible)/,
    )
    run(
      '--security-opt seccomp=unconfined',
      inside('--security-opt seccomp=unconfined', 'grep Seccomp: /proc/self/status'),
      /\t0$/m,
    )
    run(
      '--privileged: devices and mounts',
      inside(
        '--privileged',
        'sh -c "ls /dev/kmsg; mount -t tmpfs none /mnt 2>&1 || mount -t tmpfs none /tmp; echo 1 >/proc/sys/net/ipv4/ip_forward; echo end"',
      ),
      /kmsg[\s\S]*^end$/m,
    )
    run(
      '--cap-add for an ordinary user',
      inside('-u user --cap-add net_raw', 'grep -e CapEff -e CapAmb /proc/self/status'),
      /CapEff:\s0+2000\nCapAmb:\s0+2000/,
    )
    run('--umask', inside('--umask 0077', 'sh -c umask'), /^0077$/m)
    run(
      '--group-add, --passwd-entry',
      inside('--user 5000:6000 --group-add 7000 --passwd-entry "me:x:5000:6000::/:/bin/sh"', 'id'),
      /uid=5000\(me\) gid=6000.*7000/,
    )
    run('--personality', inside('--personality LINUX32', 'cat /proc/self/personality'), /^0*8$/m)
    run(
      'an OCI hook of a directory',
      `d=$(mktemp -d); printf '#!/bin/sh\\ncat >>%s/state\\n' $d >$d/hook; chmod 755 $d/hook
      printf '{"version":"1.0.0","hook":{"path":"%s/hook"},"when":{"always":true},"stages":["prestart","createRuntime","poststart","poststop"]}' $d >$d/hook.json
      command ${podman} --hooks-dir $d run --name $name box true; podman rm $name >/dev/null; tr , '\\n' <$d/state | grep '"status"'`,
      /creat(ed|ing)"[\s\S]*running"[\s\S]*stopped"/,
    )
    run(
      '--runtime-flag',
      `command ${podman} --runtime-flag debug run --rm box echo hello`,
      /^hello$/m,
    )
  })

  describe('lifecycle', () => {
    run(
      'info: the runtime and its version',
      `command ${podman} info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Version}}'`,
      new RegExp(`^\\S*${runtime.name} ${runtime.name}.* \\d+\\.\\d+`, 'm'),
    )
    run(
      'inspect: the runtime',
      `${alive()}; podman inspect -f '{{.OCIRuntime}} {{.State.Status}} {{.State.Pid}}' $name`,
      new RegExp(`^\\S*${runtime.name} running \\d+$`, 'm'),
    )
    run(
      'logs -f',
      `${alive('', "sh -c 'echo one; sleep 2; echo two'")}; timeout 60 podman logs -f $name`.replace(
        'timeout 60 podman',
        `timeout 60 ${podman}`,
      ),
      /^one\ntwo$/m,
    )
    for (const driver of ['k8s-file', 'journald', 'passthrough']) {
      run(
        `--log-driver ${driver}`,
        `podman run --log-driver ${driver} --name $name box echo hello`,
        /^hello$/m,
      )
    }
    run(
      'attach',
      `${alive('-i', 'cat')}; echo hello | timeout 60 ${podman} attach $name`,
      /^hello$/m,
    )
    run(
      'start -ai',
      `podman create -i --name $name box cat >/dev/null; echo hello | podman start -ai $name`,
      /^hello$/m,
    )
    run(
      'run: signals are passed on',
      `command ${podman} run --name $name box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' & p=$!
      await running "podman inspect -f '{{.State.Status}}' $name 2>/dev/null"; await 1 "podman exec $name grep -c '^SigCgt:.*[4-7c-f]...$' /proc/1/status"; kill -TERM $p; wait $p`,
      5,
    )
    run(
      'kill: several signals',
      `${alive('', `sh -c 'for s in HUP USR1 USR2 WINCH; do trap "echo $s" $s; done; echo up; while :; do sleep 0.1; done'`)}
      await up "podman logs $name"; n=1; for s in HUP USR1 12 SIGWINCH; do n=$((n+1)); podman kill -s $s $name >/dev/null; await $n "podman logs $name | wc -l"; done; podman logs $name`,
      /^up\nHUP\nUSR1\nUSR2\nWINCH$/m,
    )
    run(
      'kill: a real-time signal',
      `${alive()}; podman kill -s RTMIN+3 $name >/dev/null; podman kill -s 40 $name >/dev/null; podman inspect -f '{{.State.Status}}' $name`,
      /^running$/m,
    )
    run(
      '--stop-signal',
      `${alive('--stop-signal USR1', `sh -c 'trap "exit 6" USR1; echo up; while :; do sleep 0.1; done'`)}; await up "podman logs $name"; podman stop -t 60 $name >/dev/null; podman wait $name`,
      /^6$/m,
    )
    run('--timeout', 'podman run --name $name --timeout 2 box sleep 1000', 255)
    run(
      '--rm -d',
      `podman run --rm -d --name $name box true >/dev/null; await gone 'podman container exists $name || echo gone'; podman ps -aq --filter name=$name | wc -l`,
      /^0$/m,
    )
    run(
      '--init: orphans are reaped',
      `${alive('--init', `sh -c '(sleep 0.1 & exec sleep 0) ; exec sleep 1000'`)}; sleep 1; podman exec $name ps -o stat,args`,
      /^[^Z]*$/,
    )
    run(
      'wait --condition',
      `${alive()}; podman wait --condition=running $name; podman kill $name >/dev/null; podman wait --condition=exited $name`,
      /^-1\n137$/m,
    )
    run(
      'events: the exit code',
      `podman run --name $name box sh -c 'exit 9' || true; podman events --stream=false --since 5m --filter container=$name --format '{{.Status}} {{.ContainerExitCode}}'`,
      /^died 9$/m,
    )
    // By systemd the cgroup goes with its last process, and conmon may read memory.events too late.
    run(
      'inspect: out of memory',
      `command ${podman} --cgroup-manager cgroupfs run --name $name --memory 24m box sh -c 'head -c 200m /dev/zero | tail' || true; podman inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' $name`,
      /^true 137$/m,
    )
    run(
      '--restart=always',
      `${alive('--restart=always', "sh -c 'echo up; sleep 0.5'")}; await 3 "podman logs $name | grep -c up"; podman stop -t 0 $name >/dev/null; sleep 2; podman inspect -f '{{.State.Status}}' $name`,
      /^exited$/m,
    )
    run(
      '--restart=on-failure: success is no failure',
      `${alive('--restart=on-failure', "sh -c 'echo up'")}; podman wait $name; sleep 1; podman logs $name | grep -c up`,
      /^0\n1$/m,
    )
    run(
      '--restart=unless-stopped: killed',
      `${alive('--restart=unless-stopped', "sh -c 'echo up; sleep 1000'")}; await up "podman logs $name"; kill -9 $(podman inspect -f '{{.State.Pid}}' $name); await 2 "podman logs $name | grep -c up"`,
      0,
    )
    run(
      'update --restart',
      `${alive('', "sh -c 'echo up; sleep 1000'")}; podman update --restart always $name >/dev/null; await up "podman logs $name"; kill -9 $(podman inspect -f '{{.State.Pid}}' $name); await 2 "podman logs $name | grep -c up"`,
      0,
    )
    run(
      'container clone',
      `trap 'podman rm -f -t 0 $name $name-clone >/dev/null' EXIT; ${alive('--memory 64m')}; podman container clone --run $name >/dev/null; podman exec $name-clone cat ${MEMORY}.max`,
      /^67108864$/m,
    )
    run(
      'rename, commit, export, diff',
      `${alive()}; podman exec $name touch /made; podman diff $name; podman commit -q $name $name >/dev/null; podman run --rm $name ls /made; podman export $name | tar -t made; podman rename $name $name-r; podman exec $name-r echo hello; podman rm -f -t 0 $name-r >/dev/null; podman rmi $name >/dev/null`,
      /^A \/made$[\s\S]*^\/made\nmade\nhello$/m,
    )
    run(
      'checkpoint: refused, and it goes on',
      `${alive()}; podman container checkpoint $name && exit 1; podman exec $name echo hello`,
      /[Cc]heckpoint|criu|CRIU[\s\S]*^hello$/m,
    )
    run(
      'generate kube, play kube',
      `trap 'podman kube down --force /tmp/$name.yaml >/dev/null' EXIT; podman create --name $name --memory 64m box sleep 1000 >/dev/null; podman generate kube $name >/tmp/$name.yaml; podman rm $name >/dev/null
      podman kube play --network none /tmp/$name.yaml >/dev/null; podman exec $name-pod-$name cat ${MEMORY}.max`,
      /^67108864$/m,
    )
  })

  describe('exec, cp, top, stats', () => {
    run(
      'exec: paused',
      `${alive()}; podman pause $name >/dev/null; podman exec $name true; status=$?; podman unpause $name >/dev/null; exit $status`.replace(
        'podman exec $name true; status=$?',
        'status=0; podman exec $name true || status=$?',
      ),
      /paused|is not running|container state improper/,
      255,
    )
    run(
      'exec: not running',
      `podman create --name $name box true >/dev/null; podman exec $name true`,
      /state improper/,
      255,
    )
    run(
      'exec: an unknown user',
      `${alive()}; podman exec -u nobody-here $name true`,
      /unable to find user/,
      255,
    )
    run('exec: no such directory', `${alive()}; podman exec -w /nowhere $name true`, /nowhere/, 127)
    run(
      'exec --preserve-fds',
      `${alive()}; exec 3</etc/hostname; podman exec --preserve-fds 1 $name sh -c 'cat <&3'`,
      /^guest$/m,
    )
    run(
      'exec: as the container ends',
      `${alive()}; podman exec $name sh -c 'echo up >/up; exec sleep 1000' & p=$!; await up "podman exec $name cat /up 2>/dev/null"; podman kill $name >/dev/null; wait $p`,
      137,
    )
    run(
      'exec: ten at once',
      `${alive()}; for i in $(seq 10); do podman exec $name echo hello & done; wait`,
      /^(hello\n){10}/m,
    )
    run(
      'exec -it: its size',
      `${alive()}; script -qec 'stty rows 33 cols 77; ${podman} exec -it '$name' sh -c "sleep 1; stty size"' /dev/null`,
      /33 77/,
    )
    run(
      'cp: into a created container',
      `podman create --name $name box cat /tmp/file >/dev/null; echo hello >/tmp/in; podman cp /tmp/in $name:/tmp/file; podman start -a $name`,
      /^hello$/m,
    )
    run(
      'cp: out of a stopped one',
      `podman run --name $name box sh -c 'echo hello >/made'; podman cp $name:/made /tmp/out; cat /tmp/out`,
      /^hello$/m,
    )
    run(
      'cp: a directory',
      `${alive()}; d=$(mktemp -d); mkdir -p $d/a/b; echo hello >$d/a/b/c; podman cp $d/a $name:/tmp; podman exec $name cat /tmp/a/b/c; podman cp $name:/tmp/a $d/out; cat $d/out/b/c`,
      /^hello\nhello$/m,
    )
    run(
      'cp: into a tmpfs of a running one',
      `${alive('--tmpfs /scratch')}; echo hello >/tmp/in; podman cp /tmp/in $name:/scratch/; podman exec $name cat /scratch/in`,
      /^hello$/m,
    )
    run(
      'top: its formats',
      `${alive('-u user')}; podman top $name user pid hpid ppid comm state capeff seccomp args`,
      /user +1 +\d+ +0 +sleep +S +none +filter +sleep 1000/,
    )
    run('top: of ps', `${alive()}; podman top $name -o pid,args`, /sleep 1000/)
    run(
      'stats: a busy one',
      `${alive('--memory 64m', "sh -c 'sleep 1000 & while :; do :; done'")}; sleep 3; podman stats --no-stream --format '{{.CPUPerc}} {{.PIDs}} {{.MemUsage}}' $name`,
      /^[1-9]\d+\.\d+% 2 [\d.]+[kM]i?B \/ 6[47][\d.]*MB$/m,
    )
    run('stats: JSON of all', `${alive()}; podman stats --no-stream --format json`, /"name": "c-/)
  })

  describe('with systemd', () => {
    run(
      '--sdnotify=container',
      service(
        `${podman} run --rm --sdnotify=container ${SYSTEMD} box sh -c '/usr/bin/systemd-notify --ready; sleep 1'`,
      ),
      0,
    )
    run(
      '--sdnotify=container: it is never ready',
      service(`${podman} run --rm --sdnotify=container box sleep 1`),
      1,
    )
    run(
      '--sdnotify=container: its status and its pid',
      `systemd-run -q --collect --unit $name -p Type=notify -p NotifyAccess=all ${podman} run --rm --name $name --sdnotify=container ${SYSTEMD} box sh -c '/usr/bin/systemd-notify --ready --status=fine; sleep 1000'
      await fine "systemctl show -P StatusText $name"; systemctl show -P StatusText -P SubState $name; podman rm -f -t 0 $name >/dev/null`,
      /^fine$[\s\S]*running|running[\s\S]*^fine$/m,
    )
    run(
      '--sdnotify=healthy',
      service(
        `${podman} run --rm --sdnotify=healthy --health-cmd 'true' --health-interval 1s box sleep 5`,
      ),
      0,
    )
    run(
      'a health check by a timer',
      `${alive("--health-cmd 'test ! -e /tmp/ill' --health-interval 1s --health-retries 1")}; await healthy "podman inspect -f '{{.State.Health.Status}}' $name"; podman exec $name touch /tmp/ill; await unhealthy "podman inspect -f '{{.State.Health.Status}}' $name"`,
      0,
    )
    run(
      '--health-on-failure=kill',
      `${alive("--health-cmd 'false' --health-interval 1s --health-retries 1 --health-on-failure kill")}; podman wait $name`,
      /^137$/m,
    )
    run(
      'a unit of Quadlet',
      `mkdir -p /etc/containers/systemd; trap 'systemctl stop quadlet; rm /etc/containers/systemd/quadlet.container; systemctl daemon-reload' EXIT
      printf '[Container]\\nImage=localhost/box:latest\\nExec=sleep 1000\\nContainerName=quadlet\\nGlobalArgs=${podman.replace(/^podman ?/, '') || '--log-level=warn'}\\nPodmanArgs=--memory 64m\\n' >/etc/containers/systemd/quadlet.container
      systemctl daemon-reload; systemctl start quadlet; podman exec quadlet cat ${MEMORY}.max; systemctl is-active quadlet; systemctl show -P ControlGroup quadlet; sed s/0::// /proc/$(podman inspect -f '{{.State.Pid}}' quadlet)/cgroup`,
      /^67108864\nactive\n(.*)\n\1\/libpod-payload/m,
    )
    // Such a unit starts what is there, or by --new makes and removes it.
    for (const [flag, left] of [
      ['', 'exited'],
      [' --new', 'gone'],
    ] as const) {
      run(
        `generate systemd${flag}: started, killed and restarted, stopped`,
        `unit=container-$name; trap 'systemctl stop $unit; rm /run/systemd/system/$unit.service; systemctl daemon-reload; podman rm -f -t 0 $name >/dev/null' EXIT
        podman create --name $name --memory 64m box sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
        podman generate systemd --name --restart-policy always${flag} $name >/run/systemd/system/$unit.service
        systemctl daemon-reload; systemctl start $unit; podman exec $name cat ${MEMORY}.max
        main() { systemctl show -P MainPID $unit; }
        old=$(main); cat /proc/$old/comm; podman kill $name >/dev/null
        await new '[ $(main) -gt 0 ] && [ $(main) != $old ] && systemctl -q is-active $unit && echo new'; podman inspect -f '{{.OCIRuntime}}' $name
        systemctl stop $unit; systemctl show -P Result -P ActiveState $unit
        podman inspect -f '{{.State.Status}}' $name || echo gone`,
        new RegExp(
          `^67108864\\nconmon\\n.*${runtime.name}\\n(success\\ninactive|inactive\\nsuccess)\\n[\\s\\S]*${left}$`,
          'm',
        ),
      )
    }
    run(
      'socket activation',
      `exec 3</etc/hostname; env LISTEN_FDS=1 sh -c 'LISTEN_PID=$$ exec ${podman} run --rm box sh -c "echo \\$LISTEN_FDS \\$LISTEN_PID; cat <&3"'`,
      /^1 1\nguest$/m,
    )
  })

  describe('an ordinary user', () => {
    const user = openPodman(runtime, '--cgroup-manager cgroupfs')
    const as = (text: string) =>
      `runuser -u user -- env -C /home/user HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus sh -ec '
         name=c-$(cat /proc/sys/kernel/random/uuid)
         podman() { command ${user.podman} "$@"; }
         trap "podman rm -f -t 0 \\$name >/dev/null 2>&1 || true" EXIT
         ${text}'`
    const run = (title: string, text: string, expected: RegExp, status = 0) =>
      user.run(title, as(text), expected, status)
    beforeAll(() => {
      must(`modprobe tun && chmod 666 /dev/net/tun || true; loginctl enable-linger user; for i in $(seq 50); do [ -S /run/user/1000/bus ] && break; sleep 0.2; done
        ${as(`podman image exists box || podman import -q ${ROOTFS_TAR} box`)}`)
    })
    run(
      'run, exec, stop, wait',
      `${alive()}; podman exec $name echo hello; podman stop -t 0 $name >/dev/null; podman wait $name`,
      /^hello\n137$/m,
    )
    run(
      'pause, unpause',
      `${alive()}; podman pause $name >/dev/null; podman inspect -f "{{.State.Status}}" $name; podman unpause $name >/dev/null; podman inspect -f "{{.State.Status}}" $name`,
      /^paused\nrunning$/m,
    )
    run(
      '--privileged',
      inside('--privileged', 'sh -c "grep CapEff /proc/self/status; ls /dev/null"'),
      /1ffffffffff[\s\S]*null/,
    )
    run('--device', inside('--device /dev/zero:/dev/here', 'ls -l /dev/here'), /^c/m)
    run('--ulimit', inside('--ulimit nofile=100:200', 'sh -c "ulimit -Hn"'), /^200$/m)
    run('--ulimit host', inside('--ulimit host', 'sh -c "ulimit -Hn"'), /^\d+$/m)
    run(
      '--userns=keep-id: ids and names',
      inside('--userns=keep-id', 'sh -c "id; touch /home/user/f; stat -c %u /home/user/f"'),
      /uid=1000\(user\) gid=1000\(user\)[\s\S]*^1000$/m,
    )
    run('--userns=keep-id:uid=', inside('--userns=keep-id:uid=5,gid=6', 'id -u'), /^5$/m)
    run(
      "--userns=keep-id: a volume is the caller's",
      `d=$(mktemp -d); ${inside('--userns=keep-id -v $d:/m', 'touch /m/f')}; stat -c %u $d/f`,
      /^1000$/m,
    )
    run(
      '--userns=keep-id --user root',
      inside('--userns=keep-id --user root', 'cat /proc/self/uid_map'),
      /0 +1 +1000\n +1000 +0 +1\n/,
    )
    run('--userns=nomap', inside('--userns=nomap', 'cat /proc/self/uid_map'), /0 +1 +65536/)
    run(
      '--userns=auto',
      inside('--userns=auto:size=1000', 'cat /proc/self/uid_map'),
      /^ +0 +\d+ +1000$/m,
    )
    run(
      '--uidmap',
      inside('--uidmap 0:1:100 --gidmap 0:1:100', 'cat /proc/self/uid_map'),
      /0 +1 +100/,
    )
    run(
      '-v U',
      `d=$(mktemp -d); ${inside('-u user -v $d:/m:U', 'touch /m/f')}; stat -c %u $d`,
      /^100999$/m,
    )
    run(
      'a pod',
      `podman pod create --name $name-pod --share net,ipc,uts,pid >/dev/null; ${inside('--pod $name-pod', 'ps')}; podman pod rm -f -t 0 $name-pod >/dev/null`,
      /catatonit/,
    )
    run(
      'a network by pasta',
      `[ -e /dev/net/tun ] || { echo no /dev/net/tun; exit 77; }; ${inside('--network pasta', 'sh -c "ip -o link | wc -l"')}`,
      /^2$/m,
    )
    run('--network host', inside('--network host', 'sh -c "ip -o link | wc -l"'), /^\d+$/m)
    run('--pid host, --ipc host', inside('--pid host --ipc host', 'cat /proc/1/comm'), /^systemd$/m)
    run(
      '--read-only, --tmpfs',
      inside('--read-only --tmpfs /scratch', 'sh -c "touch /scratch/f; echo written; touch /f"'),
      /^written[\s\S]*Read-only/m,
      1,
    )
    run(
      '--memory, --pids-limit, --cpus',
      inside(
        '--memory 64m --pids-limit 20 --cpus 0.5',
        'sh -c "cd /sys/fs/cgroup; cat memory.max pids.max cpu.max"',
      ),
      /^67108864\n20\n50000 100000$/m,
    )
    run(
      'update --memory',
      `${alive()}; podman update --memory 128m $name >/dev/null; podman exec $name cat ${MEMORY}.max`,
      /^134217728$/m,
    )
    run(
      'stats, top',
      `${alive()}; podman stats --no-stream --format "{{.PIDs}}" $name; podman top $name huser user args`,
      /^1\n[\s\S]*user +root +sleep/m,
    )
    run('--group-add keep-groups', `${inside('--group-add keep-groups', 'id')}`, /groups=/)
    run(
      '--annotation run.oci.keep_original_groups=1',
      inside('--annotation run.oci.keep_original_groups=1', 'id'),
      /uid=0/,
    )
    run(
      '--security-opt seccomp=unconfined, no-new-privileges',
      inside(
        '--security-opt seccomp=unconfined --security-opt no-new-privileges',
        'grep -e Seccomp: -e NoNewPrivs /proc/self/status',
      ),
      /NoNewPrivs:\t1\nSeccomp:\t0/,
    )
    run(
      '--sysctl',
      inside('--sysctl net.ipv4.ip_forward=1', 'cat /proc/sys/net/ipv4/ip_forward'),
      /^1$/m,
    )
    run('--cgroups=disabled', inside('--cgroups=disabled', 'echo hello'), /^hello$/m)
    run('run -it', `script -qec "${user.podman} run --rm -it box tty" /dev/null`, /\/dev\/pts\/0/)
    run('--init', inside('--init', 'cat /proc/1/comm'), /init|catatonit/)
    run(
      'build with RUN',
      `d=$(mktemp -d); printf "FROM box\\nRUN id -u >/made\\n" >$d/Containerfile; podman build -q --network none -t built $d >/dev/null; podman run --rm built cat /made`,
      /^0$/m,
    )
  })
})
