/**
 * The rig of the engine tests: what a user types at podman, ctr and docker, with tsrunc as their
 * runtime and, to tell a fault of ours from theirs, with others: `TSRUNC_ENGINE_RUNTIME=tsrunc,runc`.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'

export interface Runtime {
  readonly name: string
  readonly path: string
}

const PATHS: Readonly<Record<string, string>> = {
  tsrunc: '/usr/local/bin/tsrunc',
  runc: '/usr/sbin/runc',
  crun: '/usr/bin/crun',
}

/** The image of all cases: busybox and nothing else. */
export const ROOTFS_TAR = '/tmp/engine-rootfs.tar'

export interface Outcome {
  readonly status: number | null
  /** stdout and stderr, in the order of writing. */
  readonly output: string
}

/** What is to come of a case: its output, and the exit status of its script (default: 0). */
export interface Expected {
  readonly output?: RegExp
  readonly status?: number
}

export function describeEngine(engine: string, define: (runtime: Runtime) => void): void {
  for (const runtime of chooseRuntimes()) {
    describe(`${engine} (${runtime.name})`, () => define(runtime))
  }
}

export function chooseRuntimes(): Runtime[] {
  return (process.env.TSRUNC_ENGINE_RUNTIME || 'tsrunc').split(',').map((name) => {
    const path = PATHS[name]
    if (path === undefined) throw new Error(`TSRUNC_ENGINE_RUNTIME: no runtime ${name}`)
    return { name, path }
  })
}

/** Runs a script in the shell, to its first failing command; killed after the seconds given. */
export function sh(script: string, seconds = 240): Outcome {
  const { status, stdout } = spawnSync('sh', ['-ec', `exec 2>&1\n${script}`], {
    encoding: 'utf8',
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { status, output: stdout }
}

/** For preparations: throws with the output. */
export function must(script: string, seconds?: number): string {
  const { status, output } = sh(script, seconds)
  if (status !== 0) throw new Error(`status ${status}: ${script}\n${output}`)
  return output
}

/** As test harnesses have it: what the script last said is why. */
const SKIPPED = 77

/** One line of the table: a script, and what is to come of it. */
export function check(name: string, script: string, { output, status = 0 }: Expected): void {
  it(name, (context) => {
    const outcome = sh(script)
    if (outcome.status === SKIPPED) context.skip(outcome.output.trim().split('\n').at(-1))
    const shown = `${outcome.output}\nstatus ${outcome.status}, expected ${status}`
    expect(outcome.status === status, shown).toBe(true)
    if (output !== undefined) expect(outcome.output).toMatch(output)
  })
}

/** Makes the image's root filesystem, once a boot. */
export function makeRootfs(): void {
  must(`
    [ -e ${ROOTFS_TAR} ] && exit
    root=$(mktemp -d)
    mkdir -p $root/bin $root/etc $root/tmp $root/root $root/home/user
    cp /bin/busybox $root/bin/
    for applet in $(/bin/busybox --list); do ln -s busybox $root/bin/$applet 2>/dev/null || true; done
    chmod 1777 $root/tmp
    chown 1000:1000 $root/home/user
    echo 'root:x:0:0:root:/root:/bin/sh' >$root/etc/passwd
    echo 'user:x:1000:1000::/home/user:/bin/sh' >>$root/etc/passwd
    printf 'root:x:0:\\nuser:x:1000:\\nextra:x:2000:user\\n' >$root/etc/group
    tar -cf ${ROOTFS_TAR}.new -C $root .
    mv ${ROOTFS_TAR}.new ${ROOTFS_TAR}
    rm -rf $root`)
}

/** Polls; throws after a minute. */
export async function waitFor(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await setTimeout(100)
  }
}

/** Whether there is a process with that command line. */
export function isRunning(command: string): boolean {
  return sh(`pgrep -fx '${command}'`).status === 0
}

/**
 * What the host has of containers: files of runtimes, cgroups, mounts, processes, units. Not the
 * fifos of `ctr`, which go with a task that it removes and stay behind one that is gone by itself.
 */
export function findTraces(ids: readonly string[]): string[] {
  const all = must(`
    find /run /sys/fs/cgroup -xdev -path /run/containerd/fifo -prune -o -print 2>/dev/null || true
    cat /proc/self/mountinfo
    ps -e -o args=
    systemctl list-units --all --plain --no-legend`)
  return all.split('\n').filter((line) => ids.some((id) => line.includes(id)))
}

/** Engines clean up in the background. */
export async function expectNoTraces(ids: readonly string[]): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const traces = findTraces(ids)
    if (traces.length === 0) return
    if (Date.now() > deadline) throw new Error(['left behind:', ...traces].join('\n'))
    await setTimeout(200)
  }
}

/** A code block of the README below the heading, by default the first: what users copy is tested. */
export function readmeBlock(heading: string, index = 0): string {
  const readme = readFileSync('bin/README.md', 'utf8')
  const section = readme.split(`\n### ${heading}\n`)[1]?.split('\n### ')[0] ?? ''
  const block = [...section.matchAll(/^```\w+\n(.*?)^```/gms)][index]?.[1]
  if (block === undefined) throw new Error(`README: no code block ${index} below ${heading}`)
  return block
}
