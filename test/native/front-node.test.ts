import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { buildFront } from '../../native-shims/build.ts'
import { openRig } from './rig.ts'

test('without a node beside it, the Node that built it runs the bundle', () => {
  using rig = openRig()
  rmSync(rig.path('node'))
  writeFileSync(
    rig.path('tsrunc.cjs'),
    `const { copyFileSync } = require('node:fs')
     copyFileSync('/proc/self/fd/' + process.argv[2], '${rig.path('request')}')
     console.log(process.pid, process.execPath, JSON.stringify(process.env))
     process.exitCode = 5`,
  )
  const { status, stdout, stderr, pid } = rig.run(['state', 'x'], {
    env: { NODE_OPTIONS: '--no-such-option' },
  })
  expect(stderr).toBe('')
  expect(stdout).toBe(`${pid} ${process.execPath} {}\n`)
  expect(status).toBe(5)
  expect(rig.request().argv).toEqual([rig.front, 'state', 'x'])
  expect(rig.request().env.get('NODE_OPTIONS')).toBe('--no-such-option')
})

test('a real Node under the supervisor finds its socket and leaves its exit code', () => {
  using rig = openRig()
  rmSync(rig.path('node'))
  writeFileSync(
    rig.path('tsrunc.cjs'),
    `const { copyFileSync, readlinkSync } = require('node:fs')
     copyFileSync('/proc/self/fd/' + process.argv[2], '${rig.path('request')}')
     console.log(process.ppid, readlinkSync('/proc/self/fd/1001'))
     process.exitCode = 6`,
  )
  const { status, stdout, pid } = rig.run(['run', 'x'])
  expect(stdout).toMatch(new RegExp(`^${pid} socket:`))
  expect(status).toBe(6)
  expect(rig.request()).toMatchObject({ pid, supervisor: 1001 })
})

test.each(['state', 'run'])(
  'SIGUSR1 opens no debugger of %s that others could reach',
  (command) => {
    using rig = openRig()
    rmSync(rig.path('node'))
    writeFileSync(
      rig.path('tsrunc.cjs'),
      `const { readdirSync, readFileSync, readlinkSync } = require('node:fs')
     process.kill(process.pid, 'SIGUSR1')
     setTimeout(() => {
       const links = readdirSync('/proc/self/fd').map((fd) => {
         try { return readlinkSync('/proc/self/fd/' + fd) } catch { return '' }
       })
       const listening = readFileSync('/proc/self/net/tcp', 'utf8').split('\\n')
         .map((line) => line.trim().split(/\\s+/)).filter((words) => words[3] === '0A')
         .filter((words) => links.includes('socket:[' + words[9] + ']'))
       console.log('listening on', listening.length)
     }, 300)`,
    )
    const { status, stdout } = rig.run([command])
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'listening on 0\n' })
  },
)

test('with too few fds for Node it says so', () => {
  using rig = openRig()
  const { status, stderr } = rig.shell('ulimit -n 31; exec "$0" state')
  expect(status).toBe(1)
  const message = 'too few open files: the hard limit RLIMIT_NOFILE must be 32 or more'
  expect(stderr).toBe(`tsrunc: ${message}\n`)
})

test.each([
  ['ulimit -v 700000', 'RLIMIT_AS (ulimit -v) is below 700 MiB'],
  ['ulimit -d 40000', 'RLIMIT_DATA (ulimit -d) is below 48 MiB'],
])('with too little memory for Node it says so: %s', (limit, message) => {
  using rig = openRig()
  const { status, stderr } = rig.shell(`${limit}; exec "$0" state`)
  expect(status).toBe(1)
  expect(stderr).toBe(`tsrunc: too little memory for Node: ${message}\n`)
})

test('a missing bundle is one line of error', () => {
  using rig = openRig()
  rmSync(rig.path('tsrunc.cjs'))
  const { status, stderr, stdout } = rig.run(['state'])
  expect({ status, stderr, stdout }).toEqual({
    status: 1,
    stderr: `tsrunc: cannot find ${rig.path('tsrunc.cjs')}\n`,
    stdout: '',
  })
})

test.each(['state', 'run'])('a missing Node is one line of error of %s', (command) => {
  using rig = openRig()
  rmSync(rig.path('node'))
  buildFront(rig.directory, { node: '/nonexistent/node' })
  const { status, stderr } = rig.run([command])
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'tsrunc: cannot execute /nonexistent/node\n',
  })
})

test('a node beside it that is not executable is passed over', () => {
  using rig = openRig()
  chmodSync(rig.path('node'), 0o644)
  buildFront(rig.directory, { node: '/nonexistent/node' })
  expect(rig.run(['state']).stderr).toBe('tsrunc: cannot execute /nonexistent/node\n')
})

test.each([
  [['run']],
  [['exec', 'x']],
  [['--root', '/r', 'run']],
  [['--root=/r', 'run']],
  [['-root', '/r', '-log=/l', 'exec']],
  [['--debug', '--systemd-cgroup', '--log-format', 'json', 'run']],
  [['--log', 'state', '--log-level', 'x', '--rootless', 'true', '--cgroup-manager', 'y', 'run']],
  [['--root', '/a', '--root', '/b', 'run']],
  [['--', 'run']],
])('%j is supervised', (args) => {
  using rig = openRig()
  expect(rig.run(args).status).toBe(0)
  expect(rig.request().supervisor).toBe(1001)
})

test.each([
  [[]],
  [['state', 'run']],
  [['create', '--bundle', 'run', 'exec']],
  [['--root', 'run', 'state']],
  [['--root', 'run']],
  [['--root']],
  [['-log', 'run', 'delete', 'exec']],
  [['running']],
  [['ru']],
  [['-run']],
  [['-', 'run']],
  [['']],
])('%j is not supervised', (args) => {
  using rig = openRig()
  expect(rig.run(args).status).toBe(0)
  expect(rig.request().supervisor).toBeUndefined()
})
