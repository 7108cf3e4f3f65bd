/**
 * O_NONBLOCK belongs to the open file, which everybody shares who has it: the caller, its other
 * children, the container. A program that does not expect EAGAIN loses output by it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startContainer } from './exec-rig.ts'
import {
  createBundle,
  describeContainers,
  freshId,
  globalFlags,
  parseValues,
  probeArguments,
  type Runtime,
} from './rig.ts'
import { isBlocking, open, untilRaw } from './terminal-rig.ts'

/** stdio, and one that is passed on by --preserve-fds. */
const DESCRIPTORS = [0, 1, 2, 3] as const
const REPORT = DESCRIPTORS.map((fd) => ['read', `/proc/self/fdinfo/${fd}`])

/** A pipe that has a name, both of its ends in one fd. */
function openPipe(): number {
  const path = join(createBundle().directory, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, 'r+')
  onTestFinished(() => closeSync(fd))
  return fd
}

/** What is blocking with four pipes: for the caller afterwards, and inside. */
function call(runtime: Runtime, words: readonly string[]) {
  const pipes = DESCRIPTORS.map(openPipe)
  const { status } = spawnSync(runtime.path, [...globalFlags(), ...words], {
    stdio: pipes,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  expect(status).toBe(0)
  const bytes = Buffer.alloc(1 << 16)
  const output = bytes.toString('latin1', 0, readSync(pipes[1] ?? -1, bytes))
  return {
    outside: pipes.map((fd) => isBlocking(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))),
    inside: parseValues(output).map(isBlocking),
  }
}

describeContainers('stdio stays blocking', (runtime) => {
  const all = [true, true, true, true]

  it('of run', () => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments(REPORT)
    })
    const flags = ['--preserve-fds', '1', '--bundle', bundle.directory]
    const seen = call(runtime, ['run', ...flags, freshId(runtime)])
    expect(seen).toEqual({ outside: all, inside: all })
  })

  it('of exec', async () => {
    const { id } = startContainer(runtime)
    const words = [id, ...probeArguments(REPORT)]
    const plain = call(runtime, ['exec', '--preserve-fds', '1', ...words])
    expect(plain).toEqual({ outside: all, inside: all })
    // runc wants a terminal of its caller: "provided file is not a console".
    if (runtime.name === 'tsrunc') {
      const flags = ['--tty', '--preserve-fds', '1']
      expect(call(runtime, ['exec', ...flags, ...words])).toEqual({ outside: all, inside: all })
    }
    await look(['exec', '--tty', id, ...PROGRAM])
  })

  it('of run on a terminal', async () => {
    const bundle = createBundle((config) => {
      config.process.args = PROGRAM
      config.process.terminal = true
    })
    await look(['run', '--bundle', bundle.directory, freshId(runtime)])
  })

  const PROGRAM = probeArguments([...REPORT.slice(0, 3), ['trap']])

  async function look(words: readonly string[]): Promise<void> {
    const program = await open(runtime, words)
    const isOpenBlocking = async () => ((await program.flags()) & constants.O_NONBLOCK) === 0
    await program.shows(/"ready"\]/)
    await untilRaw(program)
    expect(await isOpenBlocking()).toBe(true)
    program.type('\x03')
    expect(await program.ended).toBe('exit 102')
    expect(await isOpenBlocking()).toBe(true)
    const [values] = /\[.*\]/s.exec(program.screen()) ?? []
    const [stdin, stdout, stderr] = parseValues(values ?? '')
    expect([stdin, stdout, stderr].map(isBlocking)).toEqual([true, true, true])
  }
})
