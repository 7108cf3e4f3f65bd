import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe } from 'vitest'
import { startDocker, stopDocker } from './docker.ts'
import { check, describeEngine, must, readmeBlock } from './rig.ts'

describeEngine('docker', (runtime) => {
  const script = (text: string) =>
    `name=c-$(cat /proc/sys/kernel/random/uuid)
     trap 'docker rm -f "$name" >/dev/null 2>&1 || true' EXIT
     ${text}`
  const run = (name: string, text: string, expected: RegExp | number, status = 0) =>
    typeof expected === 'number'
      ? check(name, script(text), { status: expected })
      : check(name, script(text), { output: expected, status })
  const up = (flags = '') => `docker run -d --name $name ${flags} box sleep 1000 >/dev/null`

  afterAll(stopDocker)

  describe('the systemd driver', () => {
    beforeAll(() => startDocker(runtime, 'systemd'))
    run('info', 'docker info', /Default Runtime: t(srunc|ested)/)
    run('run', 'docker run --rm box echo hello', /^hello$/m)
    run('run: the exit status', 'docker run --rm box sh -c "exit 7"', 7)
    run('run: no such command', 'docker run --rm box nowhere', 127)
    run('run: a directory', 'docker run --rm box /etc', 126)
    run(
      'run -it: a terminal',
      "script -qec 'docker run --rm -it box tty' /dev/null",
      /\/dev\/pts\/0/,
    )
    run(
      'logs',
      `docker run -d --name $name box echo hello >/dev/null; docker wait $name; docker logs $name`,
      /^hello$/m,
    )
    run(
      'stop',
      `docker run -d --name $name box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null; docker stop -t 20 $name; docker wait $name`,
      /^5$/m,
    )
    run('kill', `${up()}; docker kill $name; docker wait $name`, /^137$/m)
    run(
      'restart',
      `docker run -d --name $name box sh -c 'echo up; sleep 1000' >/dev/null; docker restart -t 0 $name; docker logs $name | grep -c up`,
      /^2$/m,
    )
    run(
      'pause, unpause',
      `${up()}; docker pause $name; docker inspect -f '{{.State.Status}}' $name; docker unpause $name; docker inspect -f '{{.State.Status}}' $name`,
      /paused[\s\S]*running/,
    )
    run('exec', `${up()}; docker exec $name echo hello`, /^hello$/m)
    run('exec: the exit status', `${up()}; docker exec $name sh -c 'exit 9'`, 9)
    // 126, which Docker 26 makes of it with runc, too.
    run('exec: no such command', `${up()}; docker exec $name nowhere`, 126)
    run('exec -it', `${up()}; script -qec "docker exec -it $name tty" /dev/null`, /\/dev\/pts\/\d/)
    run(
      'exec -u -w -e',
      `${up()}; docker exec -u user -w /tmp -e A=b $name sh -c 'id -u; pwd; echo $A'`,
      /^1000\n\/tmp\nb$/m,
    )
    run('top', `${up()}; docker top $name`, /sleep 1000/)
    run(
      'stats',
      `${up()}; docker stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' $name`,
      /^1 .*B/m,
    )
    run('--memory', 'docker run --rm --memory 64m box cat /sys/fs/cgroup/memory.max', /^67108864$/m)
    run('--cpus', 'docker run --rm --cpus 0.5 box cat /sys/fs/cgroup/cpu.max', /^50000 100000$/m)
    run('--pids-limit', 'docker run --rm --pids-limit 20 box cat /sys/fs/cgroup/pids.max', /^20$/m)
    run(
      'update',
      `${up('--memory 64m')}; docker update --memory 128m --memory-swap 128m $name >/dev/null; docker exec $name cat /sys/fs/cgroup/memory.max`,
      /^134217728$/m,
    )
    // The first process lives on, also where the kernel kills a second time before memory is free:
    // containerd may miss why a cgroup's last one ended.
    run(
      'OOMKilled',
      `docker run --name $name --memory 24m box sh -c '(echo 1000 >/proc/self/oom_score_adj; head -c 200m /dev/zero | tail); sleep 2'; docker inspect -f '{{.State.OOMKilled}}' $name`,
      /true/,
    )
    run('--init', 'docker run --rm --init box cat /proc/1/comm', /init/)
    run(
      '--privileged',
      'docker run --rm --privileged box grep CapEff /proc/self/status',
      /1ffffffffff/,
    )
    run('--read-only', 'docker run --rm --read-only box touch /file', /Read-only/, 1)
    run(
      '-v',
      `mkdir -p /tmp/v; echo hello >/tmp/v/file; docker run --rm -v /tmp/v:/v:ro box sh -c 'exec 2>&1; cat /v/file; touch /v/new'`,
      /hello[\s\S]*Read-only/,
      1,
    )
    // Refused where the runtime's `features` do not list rro.
    run(
      'a recursive read-only mount',
      `mkdir -p /tmp/outer/inner; mountpoint -q /tmp/outer/inner || mount -t tmpfs tmpfs /tmp/outer/inner; docker run --rm --mount type=bind,source=/tmp/outer,target=/v,readonly,bind-recursive=readonly,bind-propagation=rprivate box touch /v/inner/file`,
      /Read-only/,
      1,
    )
    run(
      '--tmpfs',
      "docker run --rm --tmpfs /scratch:size=1m box sh -c 'df -k /scratch | tail -1'",
      /1024/,
    )
    run(
      '--ulimit',
      "docker run --rm --ulimit nofile=100:200 box sh -c 'ulimit -Sn; ulimit -Hn'",
      /^100\n200$/m,
    )
    run('--device', 'docker run --rm --device /dev/zero:/dev/here box ls -l /dev/here', /^c/m)
    run(
      '--security-opt seccomp=FILE',
      `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >/tmp/seccomp.json; docker run --rm --security-opt seccomp=/tmp/seccomp.json box mkdir /tmp/d`,
      /not permitted/,
      1,
    )
    run(
      'a health check',
      `${up("--health-cmd 'test -e /bin/busybox' --health-interval 1s")}; for i in $(seq 30); do docker inspect -f '{{.State.Health.Status}}' $name | grep -q healthy && break; sleep 1; done; docker inspect -f '{{.State.Health.Status}}' $name`,
      /^healthy$/m,
    )
    run(
      'a restart of the daemon',
      `systemctl stop docker.socket docker; sed -i 's/^{/{"live-restore":true,/' /etc/docker/daemon.json; systemctl start docker; ${up()}; systemctl restart docker; docker exec $name echo hello`,
      /^hello$/m,
    )
    run(
      'build with RUN',
      `d=$(mktemp -d); printf 'FROM box\\nRUN echo hello >/made\\n' >$d/Dockerfile; DOCKER_BUILDKIT=0 docker build -q --network none -t built $d; docker run --rm built cat /made`,
      /^hello$/m,
    )
  })

  describe('the cgroupfs driver', () => {
    beforeAll(() => startDocker(runtime, 'cgroupfs'))
    run('--memory', 'docker run --rm --memory 64m box cat /sys/fs/cgroup/memory.max', /^67108864$/m)
    run('exec', `${up()}; docker exec $name echo hello`, /^hello$/m)
    run(
      'pause, unpause',
      `${up()}; docker pause $name; docker unpause $name; docker inspect -f '{{.State.Status}}' $name`,
      /running/,
    )
  })

  describe('BuildKit', () => {
    const unit = '/etc/systemd/system/docker.service.d/buildkit.conf'
    const made = '/tmp/buildkit'
    const context = (dockerfile: string) =>
      `d=$(mktemp -d); printf '${dockerfile}\\n' >$d/Dockerfile; : >${made}/calls`

    beforeAll(() => {
      // Says that it was called, and which runtime is the build's is known.
      const called = `${made}/runtime`
      const script = `#!/bin/sh\necho "$*" >>${made}/calls\nexec ${runtime.path} "$@"\n`
      must(`mkdir -p ${made} $(dirname ${unit})`)
      writeFileSync(called, script, { mode: 0o755 })
      writeFileSync(unit, readmeBlock("Docker's BuildKit").replace('/usr/local/bin/tsrunc', called))
      must('systemctl daemon-reload')
      startDocker(runtime, 'systemd')
    })
    afterAll(() => {
      must(`rm -r ${made} ${unit}; systemctl daemon-reload`)
    })

    for (const build of ['docker build', 'docker buildx build']) {
      run(
        `${build}: RUN`,
        `${context('FROM box\\nRUN echo hello >/made\\nRUN cat /made >/copy')}; ${build} -q --no-cache --network none -t built $d; docker run --rm built cat /made /copy; grep -c ' run ' ${made}/calls`,
        /^hello\nhello\n2$/m,
      )
    }
    run(
      'RUN with a secret, a cache and a tmpfs',
      `${context('FROM box\\nRUN --mount=type=secret,id=s --mount=type=cache,target=/c --mount=type=tmpfs,target=/t touch /c/f /t/f && cat /run/secrets/s >/made')}
       echo hello >$d/s; docker build -q --no-cache --network none --secret id=s,src=$d/s -t built $d; docker run --rm built cat /made`,
      /^hello$/m,
    )
    run(
      'a RUN that fails',
      `${context('FROM box\\nRUN exit 7')}; docker build --network none $d`,
      /exit code: 7/,
      1,
    )
    run(
      'cancelled in the middle',
      `${context('FROM box\\nRUN sleep 54321')}
       await() { for _ in $(seq 300); do ! eval "$1" || return 0; sleep 0.2; done; return 1; }
       docker build --network none $d & client=$!
       await "pgrep -fx 'sleep 54321'"; kill $client; ! wait $client; await "! pgrep -fx 'sleep 54321'"`,
      /CANCELED|canceled/,
    )
  })

  describe('userns-remap', () => {
    beforeAll(() => startDocker(runtime, 'systemd', { 'userns-remap': 'user' }))
    run('run', 'docker run --rm box cat /proc/self/uid_map', /100000/)
    run('exec', `${up()}; docker exec $name id -u`, /^0$/m)
  })
})
