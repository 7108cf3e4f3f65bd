/** Command lines that are wrong: one line for each, exit status 1, nothing made. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { defaultSpec } from '../../src/config/default-spec.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'

const home = mkdtempSync(join(tmpdir(), 'tsrunc-test-cli-'))
const root = join(home, 'state')
const bundle = join(home, 'bundle')
const log = join(home, 'log.json')
const tsrunc = resolve('bin/tsrunc')

const spec = defaultSpec({ rootless: false, unified: false })
const config = { ...spec, process: { ...spec.process, terminal: false } }

mkdirSync(join(bundle, 'rootfs'), { recursive: true })
writeFileSync(join(bundle, 'config.json'), stringifyJson(config, 1))

afterAll(() => rmSync(home, { recursive: true }))

function run(words: readonly (string | Buffer)[], command = tsrunc) {
  const { status, stdout, stderr } = spawnSync(command, words as string[], {
    cwd: bundle,
    encoding: 'utf8',
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}

/** The one message, which the log has as one JSON record. */
function fail(words: readonly string[]): string {
  rmSync(log, { force: true })
  const found = run(['--root', root, '--log', log, '--log-format', 'json', ...words])
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(1)
  const { level, msg, time } = JSON.parse(lines[0] ?? '') as Record<string, string>
  expect(found).toEqual({ status: 1, stdout: '', stderr: `${msg}\n` })
  expect(level).toBe('error')
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  if (existsSync(root)) expect(readdirSync(root)).toEqual([])
  return msg ?? ''
}

const ID = 'tsrunc-test-none'
const FORMAT =
  /^invalid container ID format: ".*" \(letters, digits and _ \+ \. - are allowed, at most 1024\)$/

const CASES: readonly (readonly [readonly string[], string | RegExp])[] = [
  [['crate', ID], 'unknown command "crate" (did you mean create?)'],
  [['frobnicate'], 'unknown command "frobnicate"'],
  [['constructor'], 'unknown command "constructor"'],
  [['__proto__'], 'unknown command "__proto__"'],
  [['create'], 'create takes ID, found nothing'],
  [['create', 'a', 'b'], 'create takes ID, found "a" "b"'],
  [['list', 'a'], 'list takes no arguments, found "a"'],
  [['kill', ID, 'TERM', 'x'], `kill takes ID [SIGNAL], found "${ID}" "TERM" "x"`],
  [['create', '--bundel', '.', ID], 'unknown flag --bundel (did you mean --bundle?)'],
  [['create', '-x', ID], 'unknown flag -x'],
  [
    ['create', '--root', '/x', ID],
    'unknown flag --root of create: global flags stand before the command',
  ],
  [['--rooot', '/x', 'list'], 'unknown flag --rooot (did you mean --root?)'],
  [['create', '--bundle'], '--bundle requires an argument'],
  [['run', '--detach=maybe', ID], '--detach=maybe: expected true or false, found "maybe"'],
  [['create', '--preserve-fds', '-1', ID], /^--preserve-fds must be a number .*, found "-1"$/],
  [['create', '--preserve-fds', '1e3', ID], /^--preserve-fds must be a number .*, found "1e3"$/],
  [['list', '--format', 'xml'], '--format must be table or json, found "xml"'],
  [['plan', '--format', 'xml'], '--format must be text or json, found "xml"'],
  [['--log-level', 'info', 'list'], /^--log-level must be one of debug, .*, found "info"$/],
  [['--cgroup-manager', 'x', 'list'], /^--cgroup-manager must be one of cgroupfs, .*, found "x"$/],
  [['--root', '/', 'list'], '--root must not be /'],
  [['state', ''], FORMAT],
  [['state', '.'], FORMAT],
  [['state', '..'], FORMAT],
  [['state', '../other'], FORMAT],
  [['create', 'a b'], FORMAT],
  [['create', 'a/b'], FORMAT],
  [['create', 'a\nb'], FORMAT],
  [['delete', '--force', 'é'], FORMAT],
  [['start', 'x'.repeat(1025)], /^.{60,160}$/],
  [['kill', ID, 'TREM'], 'unknown signal "TREM" (did you mean TERM?)'],
  [['kill', ID, '-9'], 'unknown signal "-9"'],
  [['kill', ID, '65'], 'unknown signal "65"'],
  [['kill', ID, '9x'], 'unknown signal "9x"'],
  [['kill', ID, ''], 'unknown signal ""'],
  [['kill', '--signal', '0x9', ID], 'unknown signal "0x9"'],
  [['start', ID], `start ${ID}: container does not exist: ${ID}`],
  [['spec'], 'File config.json exists. Remove it first'],
  [['spec', '--file', log], `File ${log} exists. Remove it first`],
  [
    ['spec', '--bundle', '/no/such'],
    'spec: open("/no/such/config.json"): ENOENT: no such file or directory',
  ],
  [['bundle', 'make', 'x'], 'unknown command "bundle make" (did you mean bundle new?)'],
  [['bundle', 'new', 'x'], /^bundle new needs --from-host/],
  [['bundle', 'new', 'x', '--from-host', 'no-such-program'], /not found .*: no-such-program$/],
]

describe('a command line that is wrong', () => {
  it.each(CASES)('%j', (words, message) => {
    const found = fail(words)
    if (typeof message === 'string') expect(found).toBe(message)
    else expect(found).toMatch(message)
  })

  it('an argument that is not UTF-8', () => {
    const words = ['-c', `exec "$0" state "$(printf 'a\\377')"`, tsrunc]
    const { status, stderr } = run(words, '/bin/sh')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^time="\S+" level=error msg="argument 2 is not UTF-8: [^\n]*"\n$/)
  })

  it('a format of the log that is none is told of in text', () => {
    const { status, stderr } = run(['--log-format', 'xml', 'list'])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^time="\S+" level=error msg="--log-format must be [^\n]*"\n$/)
  })

  it('a log that cannot be written is told of on stderr', () => {
    const { status, stderr } = run(['--log', '/no/such/log', '--log-format', 'json', 'list'])
    expect(status).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({
      level: 'error',
      msg: 'cannot write to --log: open("/no/such/log"): ENOENT: no such file or directory',
    })
  })
})

describe('without root', () => {
  const isRoot = process.getuid?.() === 0
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(existsSync)
  const why = isRoot && setpriv === undefined ? ' (skipped: no setpriv here)' : ''
  const runAsNobody = (...words: string[]) =>
    isRoot
      ? run(['--reuid', '65534', '--regid', '65534', '--clear-groups', tsrunc, ...words], setpriv)
      : run([tsrunc, ...words], '/usr/bin/env')

  const formats = [[], ['--syscalls'], ['--format', 'json'], ['--format', 'json', '--syscalls']]
  it.skipIf(why !== '').each(formats.map((flags) => [flags] as const))(
    `plan %j says what root would do${why}`,
    (flags) => {
      run(['/bin/chmod', '755', home], '/usr/bin/env')
      const before = readdirSync(home, { recursive: true }).toSorted()
      const words = ['--root', join(home, 'nowhere'), 'plan', ...flags, '--bundle', bundle]
      const theirs = runAsNobody(...words)
      expect(theirs).toMatchObject({ status: 0, stderr: '' })
      expect(theirs.stdout).toContain('hostname')
      expect(theirs).toEqual(run(words))
      expect(readdirSync(home, { recursive: true }).toSorted()).toEqual(before)
    },
  )

  it.skipIf(why !== '')(`create without a user namespace is refused${why}`, () => {
    run(['/bin/chmod', '755', home], '/usr/bin/env')
    const { status, stderr } = runAsNobody(
      '--root',
      join(home, 'nowhere'),
      'create',
      '--bundle',
      bundle,
      ID,
    )
    expect(status).toBe(1)
    expect(stderr).toMatch(/: \/linux\/namespaces: expected an entry of type user: [^\n]*"\n$/)
  })
})
