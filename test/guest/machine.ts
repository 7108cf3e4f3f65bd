/** One boot of the guest, from its first instruction to the results that it leaves. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { Image } from './image.ts'

export interface Boot {
  readonly image: Image
  /** A tar in `directory`; the agent of the image unpacks it and runs the script `run` in it. */
  readonly payload: string
  /** A directory of ours, for what the boot needs; `results` is made in it. */
  readonly directory: string
  readonly seconds: number
  readonly kernelOptions: readonly string[]
}

/** What became of a guest: its own exit status, or why there is none. */
export type Outcome =
  | { readonly status: number }
  | { readonly failure: string; readonly ended: 'before it was up' | 'by itself' | 'by us' }

const RESULTS_SIZE = 256 * 1024 * 1024
const MEMORY = '3072M'

/** Boots, prints what the guest prints, and unpacks what it leaves. */
export async function bootGuest(boot: Boot): Promise<Outcome> {
  const results = join(boot.directory, 'results')
  const resultsDisk = `${results}.tar`
  mkdirSync(results)
  writeFileSync(resultsDisk, '')
  truncateSync(resultsDisk, RESULTS_SIZE)
  const [program = '', ...args] = boot.image.isFull
    ? qemuCommand(boot, resultsDisk)
    : umlCommand(boot, resultsDisk)
  const console = join(boot.directory, 'console')
  const { wasKilled, wasUp } = await runMachine(program, args, console, boot.seconds)
  // A guest that ended without results is a broken tar, too.
  try {
    execFileSync('tar', ['-xf', resultsDisk, '-C', results], { stdio: 'ignore' })
  } catch {}
  const status = join(results, 'status')
  if (!wasKilled && existsSync(status)) return { status: Number(readFileSync(status, 'utf8')) }
  const what = wasKilled ? `was killed after ${boot.seconds} s` : 'ended without a status'
  return {
    failure: `the guest ${what}; ${quoteConsole(console)}`,
    ended: wasUp ? (wasKilled ? 'by us' : 'by itself') : 'before it was up',
  }
}

/**
 * User-mode Linux, with its own C library; the disk stays as it is, writes go to a sparse file of
 * this boot. What it opens lies in two directories, bound where nothing of its packages is.
 */
function umlCommand({ image, payload, directory, kernelOptions }: Boot, results: string): string[] {
  const setup = [
    'for dir in proc dev; do mount --rbind /$dir "$0/$dir"; done',
    'mount --bind "$1" "$0/media" && mount --bind "$2" "$0/mnt" && shift 2',
    'exec chroot "$0" /usr/bin/linux.uml "$@"',
  ]
  const binds = [join(image.directory, 'kernel'), image.directory, directory]
  return [
    ...['unshare', '-m', 'sh', '-ec', setup.join('\n'), ...binds],
    ...[`mem=${MEMORY}`, 'seccomp=auto', 'root=/dev/ubda', 'rw'],
    'ubd0=/mnt/changes,/media/disk',
    `ubd1r=/mnt/${basename(payload)}`,
    `ubd2=/mnt/${basename(results)}`,
    ...['con=null', 'con0=null,fd:3', 'ssl0=null,fd:1'],
    // A process that maps its rings, as Node does, breaks this kernel's pages.
    'sysctl.kernel.io_uring_disabled=2',
    'tsrunc.payload=/dev/ubdb',
    'tsrunc.results=/dev/ubdc',
    'tsrunc.output=/dev/ttyS0',
    ...kernelOptions,
  ]
}

/** The whole Debian kernel, emulated: /dev/kvm does not run it on machines that are guests. */
function qemuCommand(
  { image, payload, directory, kernelOptions }: Boot,
  results: string,
): string[] {
  const disk = (file: string, more: string) => [
    '-drive',
    `file=${file},format=raw,if=virtio${more}`,
  ]
  const append = [
    ...['console=ttyS0', 'root=/dev/vda', 'rw', 'nokaslr', 'mitigations=off'],
    'tsrunc.payload=/dev/vdb',
    'tsrunc.results=/dev/vdc',
    'tsrunc.output=/dev/ttyS1',
    ...kernelOptions,
  ]
  return [
    ...['qemu-system-x86_64', '-accel', 'tcg,thread=single', '-smp', '1', '-cpu', 'max'],
    ...['-m', MEMORY, '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-chardev', `file,id=console,append=on,path=${join(directory, 'console')}`],
    ...['-serial', 'chardev:console'],
    ...['-serial', 'stdio'],
    ...['-kernel', join(image.directory, 'vmlinuz'), '-initrd', join(image.directory, 'initrd')],
    ...disk(join(image.directory, 'disk'), ',snapshot=on'),
    ...disk(payload, ',readonly=on'),
    ...disk(results, ''),
    ...['-append', append.join(' ')],
  ]
}

interface Ending {
  readonly wasKilled: boolean
  /** It printed something. */
  readonly wasUp: boolean
}

function runMachine(
  program: string,
  args: readonly string[],
  console: string,
  seconds: number,
): Promise<Ending> {
  // Its end is ours, too: a killed rig leaves no machine behind.
  const machine = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { PATH: process.env.PATH, HOME: '/mnt', TMPDIR: '/dev/shm' },
  })
  const file = createWriteStream(console, { flags: 'a' })
  let wasUp = false
  let wasKilled = false
  // Not inherited: the machine makes its descriptors non-blocking.
  machine.stdout?.on('data', (bytes: Buffer) => {
    wasUp ||= bytes.includes('guest: up')
    process.stdout.write(bytes)
  })
  machine.stderr?.pipe(file, { end: false })
  machine.stdio[3]?.on('data', (bytes: Buffer) => file.write(bytes))
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      wasKilled = true
      killMachine(machine)
    }, seconds * 1000)
    machine.on('error', reject)
    machine.on('close', () => {
      clearTimeout(timer)
      // User-mode Linux leaves its processes behind when its main one is killed.
      killMachine(machine)
      file.end(() => resolve({ wasKilled, wasUp }))
    })
  })
}

function killMachine({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {}
}

function quoteConsole(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split(/\r?\n/)
  return ['the last lines of its console:', ...lines.slice(-25)].join('\n  | ')
}
