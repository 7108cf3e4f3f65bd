/** The caller's terminal while the supervisor copies between it and the container's pty. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeSupervise } from '../../src/engine/supervisor-protocol.ts'
import { childrenOf } from '../children.ts'
import { buildTerminal, openTerminal, type TerminalProgram } from '../terminal.ts'
import { eventually, openRig, type Rig } from './rig.ts'

let terminal: ReturnType<typeof buildTerminal>
beforeAll(() => {
  terminal = buildTerminal()
  // Compiled once: not in the time of a test.
  openRig()[Symbol.dispose]()
}, 60_000)
afterAll(() => terminal.remove())

const ECHO_AND_LINES = 0o12

/** The words of a front whose Node hands over a shell on a pty. */
function words(rig: Rig, script: string): string[] {
  const file = rig.path('terminal')
  const handover = { pid: 1, pidfd: 0, terminal: 0, fallback: [] }
  writeFileSync(file, encodeSupervise(handover).bytes)
  return [rig.front, 'run', 'terminal-init', script, 'hand-over-terminal', file]
}

interface Started extends Disposable {
  readonly program: TerminalProgram
  readonly before: readonly number[]
  /** pid of the process that stands in for the container's init. */
  readonly init: () => number
  readonly isRaw: () => Promise<boolean>
}

/** Runs it on a terminal, and waits until that is raw. */
async function start(rig: Rig, script: string, more: readonly string[] = []): Promise<Started> {
  const before = await readModes()
  const program = await openTerminal(terminal.path, [...words(rig, script), ...more])
  const isRaw = async () => ((await program.modes())[2] ?? 0) % 0o20 === 0
  await untilRaw(isRaw)
  const init = () => Number(readFileSync(rig.path('init'), 'utf8'))
  return { program, before, init, isRaw, [Symbol.dispose]: () => program[Symbol.dispose]() }
}

async function untilRaw(isRaw: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500 && !(await isRaw()); i++) await pause(10)
  expect(await isRaw()).toBe(true)
}

async function readModes(): Promise<readonly number[]> {
  using program = await openTerminal(terminal.path, ['/bin/cat'])
  return await program.modes()
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, milliseconds))
}

function guardianOf(pid: number): number | undefined {
  return childrenOf(pid).find(({ name }) => name === 'tsrunc-guardian')?.pid
}

function stateOf(pid: number): string | undefined {
  return /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
}

async function untilRestored({ program, before }: Started): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const modes = await program.modes()
    if (modes.join() === before.join()) return
    await pause(10)
  }
  expect(await program.modes()).toEqual(before)
}

describe('the terminal is restored', () => {
  test('when the program exits', async () => {
    using rig = openRig()
    using run = await start(rig, 'read line; echo "<$line>"; exit 7')
    run.program.type('x\r')
    expect(await run.program.ended).toBe('exit 7')
    await run.program.shows(/^x\r\n<x>\r\n$/)
    expect(await run.program.modes()).toEqual(run.before)
  })

  test('when it is killed', async () => {
    using rig = openRig()
    using run = await start(rig, 'sleep 60')
    process.kill(run.init(), 'SIGKILL')
    expect(await run.program.ended).toBe('exit 137')
    expect(await run.program.modes()).toEqual(run.before)
  })

  test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('when we get %s', async (signal) => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    process.kill(run.program.pid, signal)
    expect(await run.program.ended).toMatch(/^exit (143|129|130)$/)
    expect(await run.program.modes()).toEqual(run.before)
  })

  test('when the supervisor is killed, and the guardian goes', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    const guardian = await eventually(() => guardianOf(run.program.pid))
    process.kill(run.program.pid, 'SIGKILL')
    await untilRestored(run)
    await eventually(() => !isAlive(guardian))
    process.kill(run.init(), 'SIGKILL')
  })

  test('when the guardian was killed first: another takes its place', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    const guardian = await eventually(() => guardianOf(run.program.pid))
    process.kill(guardian, 'SIGKILL')
    await eventually(() => ![undefined, guardian].includes(guardianOf(run.program.pid)))
    expect(await run.isRaw()).toBe(true)
    process.kill(run.program.pid, 'SIGKILL')
    await untilRestored(run)
    process.kill(run.init(), 'SIGKILL')
  })

  test('when all processes of the job are killed', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    process.kill(-run.program.pid, 'SIGKILL')
    await untilRestored(run)
    process.kill(run.init(), 'SIGKILL')
  })

  test('when whoever has the words of our command line is killed: the guardian has not', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    const guardian = await eventually(() => guardianOf(run.program.pid))
    const words = readFileSync(`/proc/${guardian}/cmdline`, 'latin1')
    expect(words).toMatch(/^tsrunc-guardian\0+$/)
    process.kill(run.init(), 'SIGKILL')
  })

  test('when the supervisor is killed while it is stopped', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    process.kill(run.program.pid, 'SIGSTOP')
    await eventually(() => stateOf(run.program.pid) === 'T')
    // Nobody is told of a stop but the parent: a shell then sets its own modes.
    expect(await run.isRaw()).toBe(true)
    process.kill(run.program.pid, 'SIGKILL')
    await untilRestored(run)
    process.kill(run.init(), 'SIGKILL')
  })

  test('when Node is killed, and then the container ends', async () => {
    using rig = openRig()
    using run = await start(rig, 'read line; exit 7', ['die', '9'])
    run.program.type('\r')
    expect(await run.program.ended).toBe('exit 7')
    expect(await run.program.modes()).toEqual(run.before)
  })

  test('but what another program has set meanwhile is left', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    const device = `/proc/${run.program.pid}/fd/0`
    expect(spawnSync('stty', ['-F', device, 'raw', 'echo']).status).toBe(0)
    const others = await run.program.modes()
    process.kill(run.init(), 'SIGKILL')
    expect(await run.program.ended).toBe('exit 137')
    expect(await run.program.modes()).toEqual(others)
  })
})

test('a supervisor that was stopped is raw again when it goes on, and has lost nothing', async () => {
  using rig = openRig()
  using run = await start(rig, 'read line; echo "<$line>"; exit 7')
  const device = `/proc/${run.program.pid}/fd/0`
  process.kill(run.program.pid, 'SIGSTOP')
  await eventually(() => stateOf(run.program.pid) === 'T')
  run.program.type('typed')
  // As a shell does that shows its prompt.
  expect(spawnSync('stty', ['-F', device, 'sane']).status).toBe(0)
  process.kill(run.program.pid, 'SIGCONT')
  await untilRaw(run.isRaw)
  run.program.type('\r')
  expect(await run.program.ended).toBe('exit 7')
  await run.program.shows(/<typed>/)
  expect(await run.program.modes()).toEqual(run.before)
})

describe('an end of file that is typed while the terminal is not raw is one of the container', () => {
  const script = 'cat; echo "end"; read line; echo "<$line>"; exit 7'

  test('after a stop', async () => {
    using rig = openRig()
    using run = await start(rig, script)
    process.kill(run.program.pid, 'SIGSTOP')
    await eventually(() => stateOf(run.program.pid) === 'T')
    const device = `/proc/${run.program.pid}/fd/0`
    expect(spawnSync('stty', ['-F', device, 'sane']).status).toBe(0)
    run.program.type('\x04')
    process.kill(run.program.pid, 'SIGCONT')
    await run.program.shows(/end\r\n/)
    await untilRaw(run.isRaw)
    run.program.type('on\r')
    expect(await run.program.ended).toBe('exit 7')
    await run.program.shows(/<on>/)
  })

  test('before the container is there', async () => {
    using rig = openRig()
    const [front = '', ...rest] = words(rig, script)
    const command = [front, 'run', 'wait', rig.path('typed'), ...rest.slice(1)]
    using program = await openTerminal(terminal.path, command)
    program.type('first\r\x04whole ')
    // Echoed: the terminal has it.
    await program.shows(/first\r\nwhole $/)
    writeFileSync(rig.path('typed'), '')
    await program.shows(/first\r\n(.*\r\n)*end\r\n/)
    program.type('line\r')
    expect(await program.ended).toBe('exit 7')
    await program.shows(/<whole line>/)
  })
})

describe('the program behind the terminal', () => {
  test('has its size from the start, and is told of a new one', async () => {
    using rig = openRig()
    const script = 'read raw; trap "stty size; exit 3" WINCH; stty size; read line; exit 4'
    using run = await start(rig, script)
    run.program.type('\r')
    await run.program.shows(/^\r\n24 80\r\n/)
    run.program.resize(33, 111)
    await run.program.shows(/33 111\r\n/)
    expect(await run.program.ended).toBe('exit 3')
  })

  test('gets Ctrl-C, Ctrl-Z and Ctrl-\\ as signals of its own terminal', async () => {
    using rig = openRig()
    const script =
      'for s in INT TSTP QUIT; do trap "echo got-$s" $s; done; echo ready; while :; do read x && exit 9; done'
    using run = await start(rig, script)
    await run.program.shows(/ready/)
    run.program.type('\x03')
    await run.program.shows(/got-INT/)
    run.program.type('\x1a')
    await run.program.shows(/got-TSTP/)
    run.program.type('\x1c')
    await run.program.shows(/got-QUIT/)
    run.program.type('\r')
    expect(await run.program.ended).toBe('exit 9')
  })

  test('and its end of file', async () => {
    using rig = openRig()
    using run = await start(rig, 'cat; exit 5')
    run.program.type('text\r\x04')
    expect(await run.program.ended).toBe('exit 5')
  })

  test('is hung up when the terminal is closed', async () => {
    using rig = openRig()
    using run = await start(
      rig,
      `trap 'echo hup > ${rig.path('told')}; exit 0' HUP; echo ready; while :; do sleep 0.1; done`,
    )
    await run.program.shows(/ready/)
    run.program.close()
    expect(await run.program.ended).toBe('exit 0')
    expect(readFileSync(rig.path('told'), 'utf8')).toBe('hup\n')
  })

  test('reads the end of what is typed when it ignores the hang-up', async () => {
    using rig = openRig()
    using run = await start(rig, "trap '' HUP; echo ready; cat; exit 6")
    await run.program.shows(/ready/)
    run.program.close()
    expect(await run.program.ended).toBe('exit 6')
  })

  test('costs less than a megabyte, both processes together', async () => {
    using rig = openRig()
    using run = await start(rig, 'exec sleep 60')
    const pids = [run.program.pid, await eventually(() => guardianOf(run.program.pid))]
    const sizes = pids.map((pid) =>
      Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
    )
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1024)
    process.kill(run.init(), 'SIGKILL')
  })
})

describe('without a terminal of ours', () => {
  /** Runs it in a shell in which `$@` is the front. */
  function shell(rig: Rig, script: string, pipeline: string) {
    const args = ['-c', pipeline, ...words(rig, script).toSpliced(0, 0, 'sh')]
    return spawnSync('sh', args, { encoding: 'latin1', timeout: 20_000 })
  }

  test('what is read ends the input, also in the middle of a line', () => {
    using rig = openRig()
    const { stdout, status } = shell(
      rig,
      'stty -echo; cat; exit 3',
      'sleep 0.3; printf "a\\nb" | "$@"',
    )
    expect(status).toBe(3)
    expect(stdout.replaceAll('\r', '')).toMatch(/a\nb$/)
  })

  test('/dev/null is no input, and its end no end', () => {
    using rig = openRig()
    const script = 'stty -echo; (sleep 0.4; kill -USR1 $$) & trap "exit 7" USR1; read x; exit 8'
    expect(shell(rig, script, '"$@" </dev/null').status).toBe(7)
  })

  test('a reader that is slow loses nothing, and costs nothing', () => {
    using rig = openRig()
    const script = 'stty raw; head -c 16000000 /dev/zero | tr "\\\\0" x'
    const reader = '(sleep 0.5; cksum)'
    const expected = spawnSync('sh', ['-c', 'head -c 16000000 /dev/zero | tr "\\0" x | cksum'])
    const { stdout } = shell(rig, script, `"$@" </dev/null | ${reader}`)
    expect(stdout).toBe(expected.stdout.toString())
  })

  test('much that is typed at a slow program arrives whole', () => {
    using rig = openRig()
    const ready = rig.path('ready')
    const script = `stty raw -echo; touch ${ready}; sleep 0.5; head -c 4000000 | cksum`
    const feed = `(until [ -e ${ready} ]; do sleep 0.05; done; head -c 4000000 /dev/zero)`
    const expected = spawnSync('sh', ['-c', 'head -c 4000000 /dev/zero | cksum'])
    const { stdout } = shell(rig, script, `${feed} | "$@"`)
    expect(stdout.trim()).toBe(expected.stdout.toString().trim())
  })

  test('a reader that is gone hangs up', () => {
    using rig = openRig()
    const script = 'while :; do echo line; done'
    expect(shell(rig, script, '"$@" </dev/null | head -n 1').stdout).toBe('line\r\n')
  })

  test('a file is written to where it stands', () => {
    using rig = openRig()
    const out = rig.path('out')
    writeFileSync(out, 'before\n')
    expect(shell(rig, 'echo after', `"$@" </dev/null >>${out}`).status).toBe(0)
    expect(readFileSync(out, 'latin1')).toBe('before\nafter\r\n')
  })
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a job in the background stops until it is in the foreground', async () => {
  using rig = openRig()
  const line = words(rig, 'echo here; read x; exit 5')
    .map((word) => `'${word}'`)
    .join(' ')
  const script = `set -m; ${line} & sleep 0.7; jobs -l; stty -a | grep -o ' icanon'; fg %1; echo status $?`
  using program = await openTerminal(terminal.path, ['/bin/bash', '-c', script])
  await program.shows(/Stopped[^\n]*\n icanon/)
  await program.shows(/here/)
  program.type('\r')
  await program.shows(/status 5/)
  expect(((await program.modes())[2] ?? 0) & ECHO_AND_LINES).toBe(ECHO_AND_LINES)
})
