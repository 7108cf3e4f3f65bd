import { beforeAll } from 'vitest'
import { BOX, startContainerd } from './containerd.ts'
import { check, describeEngine } from './rig.ts'

describeEngine('containerd', (runtime) => {
  const script = (text: string) =>
    `id=c-$(cat /proc/sys/kernel/random/uuid)
     run() { ctr run --runc-binary ${runtime.path} "$@"; }
     trap 'ctr task rm -f $id >/dev/null 2>&1 || true; ctr container rm $id >/dev/null 2>&1 || true; umount -q /tmp/tree/sub || true' EXIT
     ${text}`
  const run = (name: string, text: string, output?: RegExp, status = 0) =>
    check(name, script(text), output === undefined ? { status } : { output, status })
  const up = `run -d ${BOX} $id sleep 1000`

  beforeAll(startContainerd)

  run('run', `run --rm ${BOX} $id echo hello`, /^hello$/m)
  run('run: the exit status', `run --rm ${BOX} $id sh -c 'exit 7'`, undefined, 7)
  run('run: no such command', `run --rm ${BOX} $id nowhere`, /nowhere.*not found/, 1)
  run(
    'run -t: a terminal',
    `script -qec 'ctr run --runc-binary ${runtime.path} --rm -t ${BOX} '$id' tty' /dev/null`,
    /\/dev\/pts\/0/,
  )
  run('task ls', `${up}; ctr task ls | grep $id`, /RUNNING/)
  run('task kill', `${up}; ctr task kill -s KILL $id; sleep 1; ctr task ls | grep $id`, /STOPPED/)
  run(
    'task kill --all',
    `run -d --pid-file /tmp/p ${BOX} $id sh -c 'sleep 1000 & sleep 1000'; ctr task kill -a -s KILL $id; sleep 1; ctr task ls | grep $id`,
    /STOPPED/,
  )
  run('task exec', `${up}; ctr task exec --exec-id e $id echo hello`, /^hello$/m)
  run(
    'task exec: the exit status',
    `${up}; ctr task exec --exec-id e $id sh -c 'exit 9'`,
    undefined,
    9,
  )
  run(
    'task exec -t',
    `${up}; script -qec "ctr task exec -t --exec-id e $id tty" /dev/null`,
    /\/dev\/pts\/\d/,
  )
  run(
    'task pause, resume',
    `${up}; ctr task pause $id; ctr task ls | grep $id; ctr task resume $id; ctr task ls | grep $id`,
    /PAUSED[\s\S]*RUNNING/,
  )
  run('task metrics', `${up}; ctr task metrics $id`, /pids.current/)
  run('task ps', `${up}; ctr task ps $id`, /^\d+/m)
  run(
    '--memory-limit',
    `run -d --memory-limit 67108864 ${BOX} $id sleep 1000; cat /sys/fs/cgroup/default/$id/memory.max`,
    /^67108864$/m,
  )
  run(
    '--cpus',
    `run -d --cpus 0.5 ${BOX} $id sleep 1000; cat /sys/fs/cgroup/default/$id/cpu.max`,
    /^50000 100000$/m,
  )
  run('--read-only', `run --rm --read-only ${BOX} $id touch /file`, /Read-only/, 1)
  run(
    '--mount',
    `mkdir -p /tmp/v; run --rm --mount type=bind,src=/tmp/v,dst=/v,options=rbind:ro ${BOX} $id touch /v/f`,
    /Read-only/,
    1,
  )
  run(
    '--mount: recursively read-only',
    `mkdir -p /tmp/tree/sub; mount -t tmpfs none /tmp/tree/sub
     run --rm --mount type=bind,src=/tmp/tree,dst=/tree,options=rbind:rro ${BOX} $id touch /tree/sub/f`,
    /Read-only/,
    1,
  )
  run('--user', `run --rm --user user ${BOX} $id id -u`, /^1000$/m)
  run(
    '--privileged',
    `run --rm --privileged ${BOX} $id grep CapEff /proc/self/status`,
    /1ffffffffff/,
  )
  run('--seccomp', `run --rm --seccomp ${BOX} $id grep Seccomp: /proc/self/status`, /\t2$/m)
  run(
    '--uidmap',
    `run --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 ${BOX} $id cat /proc/self/uid_map`,
    /100000/,
  )
  run(
    'the systemd driver',
    `run -d --runc-systemd-cgroup --cgroup system.slice:tsrunc:$id --memory-limit 67108864 ${BOX} $id sleep 1000; cat /sys/fs/cgroup/system.slice/tsrunc-$id.scope/memory.max`,
    /^67108864$/m,
  )
  run(
    'a restart of containerd',
    `${up}; systemctl restart containerd; ctr task ls | grep $id; ctr task exec --exec-id e $id echo hello`,
    /RUNNING[\s\S]*^hello$/m,
  )
})
