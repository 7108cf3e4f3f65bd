import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeFailure } from '../../src/cli/failure.ts'
import {
  createLog,
  formatRecord,
  type Level,
  type Log,
  openSink,
  salvageLogFlags,
} from '../../src/cli/log.ts'
import { StateError, StepError, SyscallError, UsageError } from '../../src/errors.ts'

function freshFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-log-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'log')
}

async function openLog(target: string, logLevel: Level = 'warning'): Promise<Log> {
  return createLog({ logFormat: 'json', logLevel }, await openSink(target, 'json'))
}

describe('the log', () => {
  it('a record is one line whose time is RFC 3339', () => {
    const time = new Date('2026-01-02T03:04:05.678Z')
    expect(formatRecord('json', 'error', 'a "b"\nc', time)).toBe(
      '{"level":"error","msg":"a \\"b\\"\\nc","time":"2026-01-02T03:04:05Z"}\n',
    )
    expect(formatRecord('text', 'warning', 'a "b"\nc', time)).toBe(
      'time="2026-01-02T03:04:05Z" level=warning msg="a \\"b\\"\\nc"\n',
    )
  })

  it.each(['', 'file:'])(
    'with a file (%j), an error is a record there and plain on stderr',
    async (scheme) => {
      const file = freshFile()
      const log = await openLog(`${scheme}${file}`)
      expect(log.fatal('it broke')).toBe('it broke\n')
      expect(readFileSync(file, 'utf8')).toMatch(/^\{"level":"error","msg":"it broke",.*\}\n$/)
    },
  )

  it('without a file, the record is on stderr', () => {
    const log = createLog({ logFormat: 'text', logLevel: 'warning' })
    expect(log.fatal('it broke')).toMatch(/^time="[^"]*" level=error msg="it broke"\n$/)
  })

  it('an error is the only record: warnings wait for a success', async () => {
    const file = freshFile()
    const failing = await openLog(file)
    failing.warning('careful')
    failing.debug('detail')
    failing.fatal('it broke')
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1)
    const succeeding = await openLog(file)
    succeeding.warning('careful')
    expect(succeeding.finish()).toBe('')
    expect(readFileSync(file, 'utf8')).toContain('careful')
  })

  it.each([
    ['debug', ['debug', 'warning', 'error']],
    ['warning', ['warning', 'error']],
    ['error', ['error']],
  ] as const)('at the level %s, %j are logged', async (logLevel, levels) => {
    const file = freshFile()
    const log = await openLog(file, logLevel)
    log.debug('detail')
    log.warning('careful')
    log.finish()
    log.fatal('it broke')
    const records = readFileSync(file, 'utf8').trim().split('\n')
    expect(records.map((record) => (JSON.parse(record) as { level: string }).level)).toEqual(levels)
  })

  it('a file that cannot be written is a usage error', async () => {
    await expect(openLog('/no/such/dir/log')).rejects.toThrow(UsageError)
  })

  it('a record that cannot be written goes to stderr', () => {
    const log = createLog({ logFormat: 'text', logLevel: 'warning' }, () => {
      throw new Error('the disk is full')
    })
    expect(log.fatal('it broke')).toMatch(/^time="[^"]*" level=error msg="it broke"\n$/)
  })

  it('its flags are found on a command line that is wrong elsewhere', () => {
    expect(salvageLogFlags(['tsrunc', '-log', 'F', '--log-format=json', '--bogus'])).toEqual({
      log: 'F',
      logFormat: 'json',
      logLevel: 'warning',
    })
    expect(salvageLogFlags(['tsrunc', 'state'])).toEqual({ logFormat: 'text', logLevel: 'warning' })
  })

  it('what stands behind the command is not ours: a container must not name our log', () => {
    const none = { logFormat: 'text', logLevel: 'warning' }
    for (const words of [
      ['exec', 'web1', 'app', '--log', '/host/file', '--debug', '--log-format=json'],
      ['--', 'state', '--log', '/host/file'],
      ['--root', '--debug', 'state', '--log=/host/file'],
      ['--log-level', 'toString', 'state'],
    ]) {
      expect(salvageLogFlags(['tsrunc', ...words])).toEqual(none)
    }
    expect(
      salvageLogFlags(['tsrunc', '--log=A', '--root', 'r', '--log', 'B', '--debug', 'exec']),
    ).toEqual({ log: 'B', logFormat: 'text', logLevel: 'debug' })
  })
})

describe('what a user reads', () => {
  it('errors of ours begin with the command and the container', () => {
    const step = new StepError('/mounts/3', 'move_mount(…): EINVAL')
    expect(describeFailure(step, 'create web1')).toBe(
      'create web1: /mounts/3: move_mount(…): EINVAL',
    )
    expect(describeFailure(new StateError('container does not exist'), 'state web1')).toBe(
      'state web1: container does not exist',
    )
    const call = new SyscallError('setns', 'setns(3)', 'EPERM', 'who are you?')
    expect(describeFailure(call, 'create web1')).toBe(
      'create web1: setns(3): EPERM (hint: who are you?)',
    )
  })

  it('a usage error stands alone', () => {
    expect(describeFailure(new UsageError('unknown flag -x'), 'create')).toBe('unknown flag -x')
  })

  it('what an image holds does not reach a terminal as it is', () => {
    const csi = String.fromCharCode(0x9b)
    const text = describeFailure(new UsageError(`a\x1b]0;owned\x07${csi}31m\r\u202eb`), '')
    expect(text).toBe('a\\u001b]0;owned\\u0007\\u009b31m\\u000d\\u202eb')
  })

  it('anything else is a bug of ours, in one line without a stack', () => {
    const text = describeFailure(new TypeError('x is not\n a function'), 'start web1')
    expect(text).toMatch(
      /^start web1: internal error: TypeError: x is not a function \(this is a bug/,
    )
    expect(text).not.toContain('\n')
  })
})
