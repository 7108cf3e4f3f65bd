/** A program on a terminal of its own, by `terminal.c`: typed at, looked at, resized, closed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

export interface TerminalProgram extends Disposable {
  /** Of the program. */
  readonly pid: number
  /** All that it wrote so far. */
  readonly screen: () => string
  readonly type: (text: string) => void
  readonly resize: (rows: number, columns: number) => void
  readonly close: () => void
  /** Input, output and local modes of the terminal, as numbers. */
  readonly modes: () => Promise<readonly number[]>
  /** Of the open file that it has as stdin, stdout and stderr: fcntl(2), F_GETFL. */
  readonly flags: () => Promise<number>
  /** Waits until the screen matches; throws with what is there after ten seconds. */
  readonly shows: (pattern: RegExp) => Promise<void>
  /** `exit 0`, `signal 9`. */
  readonly ended: Promise<string>
}

/** Compiles it into a directory that the caller removes. */
export function buildTerminal(): { path: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-terminal-'))
  const path = join(directory, 'terminal')
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-o', path]
  execFileSync('cc', [...flags, 'test/terminal.c'], { stdio: 'inherit' })
  return { path, remove: () => rmSync(directory, { recursive: true }) }
}

/** Starts a program on a terminal of 24 rows and 80 columns. */
export async function openTerminal(
  terminal: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'xterm' },
): Promise<TerminalProgram> {
  const child = spawn(terminal, command, { stdio: ['pipe', 'pipe', 'inherit', 'pipe'], env })
  let screen = ''
  child.stdout?.setEncoding('latin1').on('data', (chunk: string) => {
    screen += chunk
  })
  const answers = readAnswers(child)
  const say = (line: string) => child.stdin?.write(`${line}\n`)
  const pid = Number((await answers('pid')).split(' ')[1])
  const shows = async (pattern: RegExp): Promise<void> => {
    for (let i = 0; i < 1000 && !pattern.test(screen); i++) await pause(10)
    if (!pattern.test(screen)) throw new Error(`${pattern} is not in ${JSON.stringify(screen)}`)
  }
  return {
    pid,
    screen: () => screen,
    type: (text) => say(`type ${Buffer.from(text).toString('hex')}`),
    resize: (rows, columns) => say(`resize ${rows} ${columns}`),
    close: () => say('close'),
    modes: async () => {
      say('modes')
      const [, ...words] = (await answers('modes')).split(' ')
      return words.map((word) => Number.parseInt(word, 16))
    },
    flags: async () => {
      say('flags')
      return Number.parseInt((await answers('flags')).split(' ')[1] ?? '', 16)
    },
    shows,
    ended: Promise.race([answers('exit'), answers('signal')]),
    [Symbol.dispose]: () => {
      child.kill('SIGKILL')
    },
  }
}

/** Answers by their first word, each once, in order. */
function readAnswers(child: ChildProcess): (word: string) => Promise<string> {
  const seen: string[] = []
  const waiting: { word: string; settle: (line: string) => void }[] = []
  let rest = ''
  const stream = child.stdio[3] as Readable
  stream.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const index = waiting.findIndex(({ word }) => line.startsWith(word))
      if (index < 0) seen.push(line)
      else waiting.splice(index, 1)[0]?.settle(line)
    }
  })
  return (word) =>
    new Promise((settle) => {
      const index = seen.findIndex((line) => line.startsWith(word))
      if (index < 0) waiting.push({ word, settle })
      else settle(seen.splice(index, 1)[0] ?? '')
    })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, milliseconds))
}
