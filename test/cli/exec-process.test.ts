import { describe, expect, test } from 'vitest'
import type { Flags } from '../../src/cli/command.ts'
import { changeProcess } from '../../src/cli/exec-process.ts'
import { readProcess } from '../../src/cli/exec-process-file.ts'
import { parseSubCgroups } from '../../src/cli/sub-cgroups.ts'
import type { Process } from '../../src/config/spec.ts'

const OWN: Process = {
  args: ['init'],
  cwd: '/work',
  env: ['A=1'],
  terminal: true,
  user: { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 },
  capabilities: { bounding: ['CAP_KILL'], inheritable: ['CAP_KILL'] },
  noNewPrivileges: true,
}

const choose = (flags: Flags, words: readonly string[] = ['sh']): Process =>
  changeProcess(OWN, words, { newPrivs: true, ...flags }).process
const refuse = (flags: Flags, words?: readonly string[]) => () => choose(flags, words)

describe('the process of exec', () => {
  test('is the own process with other arguments, and no terminal unless asked', () => {
    expect(choose({})).toEqual({
      ...OWN,
      args: ['sh'],
      terminal: false,
      capabilities: { ...OWN.capabilities, effective: [], permitted: [] },
    })
    expect(choose({ tty: true }).terminal).toBe(true)
  })

  test('words after the program are its own, whatever they look like', () => {
    expect(choose({}, ['sh', '-c', '--', '-d']).args).toEqual(['sh', '-c', '--', '-d'])
  })

  test('empty values change nothing', () => {
    const flags = { cwd: '', user: '', apparmor: '', processLabel: '', process: '' }
    expect(choose(flags)).toEqual(choose({}))
  })

  test('--cap adds to three sets; never to inheritable or ambient (CVE-2022-29162)', () => {
    expect(choose({ cap: ['CAP_CHOWN', 'CAP_KILL'] }).capabilities).toEqual({
      bounding: ['CAP_KILL', 'CAP_CHOWN'],
      effective: ['CAP_CHOWN', 'CAP_KILL'],
      permitted: ['CAP_CHOWN', 'CAP_KILL'],
      inheritable: ['CAP_KILL'],
    })
  })

  test('--user takes the largest id, and leading zeros are no octal', () => {
    expect(choose({ user: '4294967294:010' }).user).toMatchObject({ uid: 4294967294, gid: 10 })
  })

  test.each(['1x', '-1', '+1', ' 1', '1 ', '0x1', '1:', ':1', ':', '1:2:3', 'root', '1e3', '1.0'])(
    'the user %j is none (CVE-2016-3697, CVE-2026-30892)',
    (user) => expect(refuse({ user })).toThrow(/^--user must be /),
  )

  // setresuid(2) takes it for "as it is": root.
  test('the id 2^32-1 is none', () => {
    expect(refuse({ user: '4294967295' })).toThrow(/^--user must be a number from 0 to 4294967294/)
    expect(refuse({ additionalGids: ['99999999999'] })).toThrow(/^--additional-gids must be/)
  })

  test.each<[Flags, readonly string[] | undefined, RegExp]>([
    [{}, [], /^exec needs a program to run, or --process FILE$/],
    [{}, [''], /^exec: the name of the program is empty$/],
    [{ cwd: 'tmp' }, undefined, /^--cwd must be an absolute path, found "tmp"$/],
    [{ env: ['A'] }, undefined, /^--env must be NAME=VALUE, found "A"$/],
    [{ env: ['=a'] }, undefined, /^--env must be NAME=VALUE, found "=a"$/],
    [{ additionalGids: ['wheel'] }, undefined, /^--additional-gids must be a number from 0 to/],
    [{ cap: ['CAP_SYS_ADMI'] }, undefined, /^--cap: no such .*did you mean CAP_SYS_ADMIN\?\)$/],
    [{ cap: ['kill'] }, undefined, /^--cap: no such capability: "kill"/],
  ])('%j with %j is refused', (flags, words, message) => {
    expect(refuse(flags, words)).toThrow(message)
  })
})

describe('the file of exec', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['/nowhere', [], /^\/nowhere: no such file$/],
    ['/', [], /^\/: not a regular file$/],
    ['/x', ['a'], /^--process names the program: "a" is one too many$/],
  ])('%s with %j is refused', (file, words, message) => {
    expect(() => readProcess(OWN, file, words, {})).toThrow(message)
  })
})

describe('--cgroup', () => {
  test('is a path for all, or for the controllers before the colon', () => {
    expect([...parseSubCgroups(['/a//./b'])]).toEqual([['', 'a/b']])
    expect([...parseSubCgroups(['cpu,cpuacct:a', 'memory:b:c'])]).toEqual([
      ['cpu', 'a'],
      ['cpuacct', 'a'],
      ['memory', 'b:c'],
    ])
  })

  test.each<[readonly string[], RegExp]>([
    [['a/../../b'], /must stay below the cgroup of the container$/],
    [['cpu:..'], /must stay below the cgroup of the container$/],
    [['a', 'b'], /^--cgroup "a": of several, each needs its controllers: ctrl\[,ctrl\]:path$/],
    [['cpu:a', 'cpu:b'], /^--cgroup "cpu:b": the controller cpu has a path already$/],
    [[':a'], /^--cgroup ":a": a controller has no name$/],
    [['cpu,:a'], /a controller has no name$/],
  ])('%j is refused', (values, message) => {
    expect(() => parseSubCgroups(values)).toThrow(message)
  })
})
