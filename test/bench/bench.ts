/**
 * `npm run bench [ROUNDS]`: how long whole processes take, from the caller's side, beside the
 * peers that are installed: tsrunc alone, and with a resident planner (`serve`). Every round measures every runtime once, in turn, so that what else
 * the machine does hits all alike. Two views of the cgroups: the host's own, and, on a host with
 * v1 hierarchies, a private mount namespace with cgroup v2 alone, which crun needs.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buildFront } from '../../native-shims/build.ts'
import { defaultSpec } from '../../src/config/default-spec.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { bindLibc } from '../../src/sys/ffi.ts'

interface Runtime {
  readonly name: string
  readonly path: string
}

/** Milliseconds of one call. */
interface Cost {
  readonly wall: number
  /** user + system, of the process and of those that it waited for: less noisy than `wall`. */
  readonly cpu: number
}

const CALLS = ['run', 'create', 'state', 'exec', 'start', 'kill', 'delete'] as const
type Sample = Readonly<Record<(typeof CALLS)[number], Cost>>
type Samples = Map<string, Sample[]>

const PEERS = ['runc', 'crun', 'youki']
const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin']
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
/** Tells the copy of this process that it is in the private view. */
const PRIVATE_VIEW = '--private-view'

function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

const TSRUNC: Runtime = { name: 'tsrunc', path: resolve('bin/tsrunc') }

/** A copy of tsrunc with a resident planner of its own, in this process's mount namespace. */
interface Served extends Runtime {
  readonly planner: ChildProcess
}

function serve(home: string): Served {
  const directory = join(home, 'served')
  const residentSocket = join(home, 'socket')
  cpSync('bin', directory, { recursive: true })
  buildFront(directory, { residentSocket })
  const path = join(directory, 'tsrunc')
  const planner = spawn(path, ['serve'], { stdio: ['ignore', 'inherit', 'inherit'] })
  for (let i = 0; i < 500 && !existsSync(residentSocket); i++) pause(10)
  // Its workers load what they need meanwhile.
  pause(1000)
  return { name: 'with serve', path, planner }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function findRuntimes(): { found: Runtime[]; missing: string[] } {
  const found = [TSRUNC]
  const missing: string[] = []
  for (const name of PEERS) {
    const path = DIRECTORIES.map((directory) => join(directory, name)).find(existsSync)
    if (path === undefined) missing.push(name)
    else found.push({ name, path })
  }
  return { found, missing }
}

function prepareBundle(home: string): string {
  const bundle = join(home, 'bundle')
  for (const name of ['proc', 'sys', 'dev']) {
    mkdirSync(join(bundle, 'rootfs', name), { recursive: true })
  }
  writeFileSync(join(home, 'true.c'), 'int main(void) { return 0; }\n')
  const output = join(bundle, 'rootfs', 'true')
  execFileSync('cc', ['-static', '-Os', '-o', output, join(home, 'true.c')])
  const spec = defaultSpec({ rootless: false, unified: true })
  const { resources: _, ...linux } = spec.linux ?? {}
  const config = {
    ...spec,
    // crun's device filter wants CAP_SYS_RESOURCE, which not every root has.
    linux,
    // What Debian 12's peers know.
    ociVersion: '1.0.2',
    process: { ...spec.process, terminal: false, args: ['/true'] },
  }
  writeFileSync(join(bundle, 'config.json'), stringifyJson(config))
  return bundle
}

/** Calls once; throws when that fails. */
function time(path: string, args: readonly string[]): Cost {
  const before = readChildrenTime()
  const begin = process.hrtime.bigint()
  const result = spawnSync(path, args, { stdio: ['ignore', 'ignore', 2], env: ENVIRONMENT })
  const wall = Number(process.hrtime.bigint() - begin) / 1e6
  if (result.status !== 0) throw new Error(`${path} ${args.join(' ')}: status ${result.status}`)
  return { wall, cpu: readChildrenTime() - before }
}

/** getrusage(RUSAGE_CHILDREN): two struct timeval come first. */
function readChildrenTime(): number {
  const usage = new BigInt64Array(32)
  bindLibc('int getrusage(int, void *)')(-1, usage)
  const [seconds = 0n, micros = 0n, systemSeconds = 0n, systemMicros = 0n] = usage
  return Number(seconds + systemSeconds) * 1e3 + Number(micros + systemMicros) / 1e3
}

function measure({ name, path }: Runtime, home: string, bundle: string, round: number): Sample {
  const id = `tsrunc-bench-${process.pid}-${round}`
  const pidFile = join(home, 'pid')
  const call = (command: string, ...args: readonly string[]) =>
    time(path, ['--root', join(home, `state-${name}`), command, ...args])
  const run = call('run', '--bundle', bundle, id)
  const create = call('create', '--bundle', bundle, '--pid-file', pidFile, id)
  const state = call('state', id)
  const exec = call('exec', id, '/true')
  // Before the start, when every runtime's init takes it without an effect.
  const kill = call('kill', id, 'CONT')
  const start = call('start', id)
  waitForEnd(readFileSync(pidFile, 'utf8'))
  return { run, create, state, exec, start, kill, delete: call('delete', id) }
}

function waitForEnd(pid: string): void {
  const deadline = Date.now() + 5000
  while (Date.now() < deadline) {
    try {
      if (/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return
    } catch {
      return
    }
    pause(1)
  }
  throw new Error(`/true is still there after 5 s: pid ${pid}`)
}

/** A runtime that cannot run here is named, and left out. */
function tryOut(runtimes: readonly Runtime[], home: string, bundle: string): Runtime[] {
  return runtimes.filter((runtime) => {
    const id = `tsrunc-bench-${process.pid}-try`
    const args = ['--root', join(home, `state-${runtime.name}`), 'run', '--bundle', bundle, id]
    const result = spawnSync(runtime.path, args, { encoding: 'utf8', env: ENVIRONMENT })
    if (result.status === 0) return true
    removeLeftovers(runtime, id, home)
    print(`${runtime.name} left out: ${result.stderr.trim().split('\n')[0]}`)
    return false
  })
}

/** What a peer leaves behind when its create fails: crun keeps its cgroup. */
function removeLeftovers({ name, path }: Runtime, id: string, home: string): void {
  spawnSync(path, ['--root', join(home, `state-${name}`), 'delete', '--force', id], {
    stdio: 'ignore',
    env: ENVIRONMENT,
  })
  const cgroup = join('/sys/fs/cgroup/unified', id)
  if (existsSync(cgroup)) rmdirSync(cgroup)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function report(samples: Samples, floor: number): void {
  const columns = [...CALLS, 'create+start+delete']
  const widths = columns.map((name) => Math.max(9, name.length + 2))
  const row = (cells: readonly string[]) =>
    cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('')
  print(`${''.padEnd(16)}${row(columns)}`)
  for (const [name, list] of samples) {
    for (const kind of ['wall', 'cpu'] as const) {
      const medians = CALLS.map((call) => median(list.map((sample) => sample[call][kind])))
      const totals = list.map((of) => of.create[kind] + of.start[kind] + of.delete[kind])
      const cells = [...medians, median(totals)].map((value) => value.toFixed(1))
      print(`${name} ${kind}`.padEnd(16) + row(cells))
    }
  }
  print(`(of each call, ${floor.toFixed(1)} ms are the spawning of any program from here; the CPU`)
  print(
    'time of run is without what others than the caller wait for, that of serve without its workers)',
  )
}

function benchmark(rounds: number, title: string): void {
  const home = mkdtempSync(join(tmpdir(), 'tsrunc-bench-'))
  const served = serve(home)
  try {
    const bundle = prepareBundle(home)
    print(`\n${title}`)
    const [tsrunc = TSRUNC, ...peers] = findRuntimes().found
    const runtimes = tryOut([tsrunc, served, ...peers], home, bundle)
    const samples: Samples = new Map(runtimes.map(({ name }) => [name, []]))
    const floors: number[] = []
    for (let round = 0; round < rounds; round++) {
      floors.push(time(join(bundle, 'rootfs/true'), []).wall)
      for (let turn = 0; turn < runtimes.length; turn++) {
        const runtime = runtimes[(round + turn) % runtimes.length]
        if (runtime === undefined) continue
        samples.get(runtime.name)?.push(measure(runtime, home, bundle, round))
      }
    }
    report(samples, median(floors))
  } finally {
    served.planner.kill()
    rmSync(home, { recursive: true, force: true })
  }
}

function printHeader(rounds: number): void {
  const { found, missing } = findRuntimes()
  print(
    'Whole-process times in ms, medians of wall clock and CPU; a static program that returns at once, default config',
  )
  print('(namespaces pid, network, ipc, uts, mount, cgroup; 7 mounts; no seccomp, no resources).')
  print(
    `Linux ${release()}, ${cpus().length} CPUs (${cpus()[0]?.model}), load ${loadavg()[0]?.toFixed(2)}, ` +
      `Node ${process.version}, ${rounds} rounds, interleaved.`,
  )
  for (const { path } of found) {
    const [version = ''] = execFileSync(path, ['--version'], { encoding: 'utf8' }).split('\n')
    print(`  ${version} (${path})`)
  }
  if (missing.length > 0) print(`  not installed here: ${missing.join(', ')}`)
}

function isUnified(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers')
}

/** The same program again, where /sys/fs/cgroup is cgroup v2 and nothing else. */
function benchmarkPrivately(rounds: number): void {
  const script =
    'mount --make-rprivate / && umount --recursive /sys/fs/cgroup && ' +
    'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
  const own = [process.execPath, process.argv[1] ?? '', String(rounds), PRIVATE_VIEW]
  const args = ['--mount', 'sh', '-c', script, 'sh', ...own]
  const { status } = spawnSync('unshare', args, { stdio: 'inherit' })
  if (status !== 0) print(`the private view of cgroup v2 failed (status ${status}): left out`)
}

function main(): void {
  const [first = '30', view] = process.argv.slice(2)
  const rounds = Number(first)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 10_000) {
    throw new Error(`ROUNDS must be a number from 1 to 10000, found ${first}`)
  }
  if (process.getuid?.() !== 0) throw new Error('containers of other users than root must wait')
  if (view === PRIVATE_VIEW) {
    benchmark(rounds, 'A private view of cgroup v2, no controllers:')
    return
  }
  printHeader(rounds)
  const mode = isUnified() ? 'cgroup v2' : 'cgroup v1 and v2 (hybrid)'
  benchmark(rounds, `The host as it is: ${mode}:`)
  if (!isUnified()) benchmarkPrivately(rounds)
}

main()
