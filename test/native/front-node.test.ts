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
  buildFront(rig.directory, '/nonexistent/node')
  const { status, stderr } = rig.run([command])
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'tsrunc: cannot execute /nonexistent/node\n',
  })
})

test('a node beside it that is not executable is passed over', () => {
  using rig = openRig()
  chmodSync(rig.path('node'), 0o644)
  buildFront(rig.directory, '/nonexistent/node')
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
