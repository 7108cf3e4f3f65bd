import { closeSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { descriptorsIn, openRig } from './rig.ts'

test('argv, environment and pid are recorded as they were', () => {
  using rig = openRig()
  const { status, pid } = rig.run(['state', '--x', '', 'é'], { env: { A: '1', LANG: 'de=at' } })
  expect(status).toBe(0)
  const { argv, env, ...request } = rig.request()
  expect(argv).toEqual([rig.front, 'state', '--x', '', 'é'])
  expect([...env]).toEqual([
    ['A', '1'],
    ['LANG', 'de=at'],
  ])
  expect(request.pid).toBe(pid)
  expect(request.supervisor).toBeUndefined()
})

test('Node gets the bundle, the number of the request and an empty environment', () => {
  using rig = openRig()
  rig.run(['state'], { env: { NODE_OPTIONS: '--no-such-option', LD_PRELOAD: '/none' } })
  const seen = rig.seen()
  expect(seen.filter((line) => line.startsWith('argument '))).toEqual([
    `argument ${rig.path('node')}`,
    'argument --no-warnings',
    'argument --inspect-port=240.0.0.1:9229',
    `argument ${rig.path('tsrunc.cjs')}`,
    'argument 1000',
  ])
  expect(seen.filter((line) => line.startsWith('variable '))).toEqual([])
})

test('it works through a symlink, from any directory, with nothing in the environment', () => {
  using rig = openRig()
  mkdirSync(rig.path('elsewhere'))
  symlinkSync(rig.front, rig.path('elsewhere/runc'))
  const script = `cd "$(dirname "$0")/elsewhere" && exec env -i ./runc state`
  expect(rig.shell(script).status).toBe(0)
  expect(rig.request().argv).toEqual(['./runc', 'state'])
  expect(rig.request().env.size).toBe(0)
  expect(rig.seen()).toContain(`argument ${rig.path('tsrunc.cjs')}`)
})

test('it works in a directory that is gone', () => {
  using rig = openRig()
  const script = `mkdir "$0.gone" && cd "$0.gone" && rmdir "$0.gone" && exec "$0" state`
  expect(rig.shell(script).status).toBe(0)
})

test('inherited fds are listed, the own ones are not', () => {
  using rig = openRig()
  rig.shell(`exec 3<&- 4<&- 5<&- 7</dev/null 9>/dev/null; exec "$0" state`)
  const inherited = rig.request().descriptors
  expect(inherited).toContain(7)
  expect(inherited).toContain(9)
  expect(inherited).not.toContain(3)
  expect(descriptorsIn(rig.seen())).toEqual([0, 1, 2, ...inherited, 1000])
})

test('three hundred inherited fds are all listed', () => {
  using rig = openRig()
  const nothing = openSync('/dev/null', 'r')
  const stdio = Array.from({ length: 303 }, () => nothing)
  expect(rig.run(['state'], { stdio }).status).toBe(0)
  closeSync(nothing)
  const expected = Array.from({ length: 300 }, (_, i) => i + 3)
  expect(rig.request().descriptors.slice(0, 300)).toEqual(expected)
})

test('closed stdio becomes /dev/null and the request stays above it', () => {
  using rig = openRig()
  rig.shell('exec "$0" state <&- >&- 2>&-')
  expect(rig.seen()).toContain('descriptor 0 /dev/null')
  expect(rig.seen()).toContain('descriptor 1 /dev/null')
  expect(rig.seen()).toContain('descriptor 2 /dev/null')
  expect(rig.request().descriptors).not.toContain(0)
})

test('the sixteen limits are those of the caller, and Node may open files all the same', () => {
  using rig = openRig()
  const script = 'ulimit -S -n 3; ulimit -S -c 0; ulimit -S -s 4096; exec "$0" state'
  expect(rig.shell(script).status).toBe(0)
  const { limits } = rig.request()
  expect(Object.keys(limits)).toHaveLength(16)
  expect(limits.RLIMIT_NOFILE?.soft).toBe(3n)
  expect(limits.RLIMIT_CORE?.soft).toBe(0n)
  expect(limits.RLIMIT_STACK?.soft).toBe(4_194_304n)
  expect(limits.RLIMIT_FSIZE).toEqual({ soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n })
  expect(rig.seen()).toContain(`nofile ${limits.RLIMIT_NOFILE?.hard}`)
})

test('a hard limit of 32 files moves the request down instead of failing', () => {
  using rig = openRig()
  expect(rig.shell('ulimit -n 40; exec "$0" state').status).toBe(0)
  expect(rig.seen()).toContain('argument 32')
})

test('an argument that is not UTF-8 is refused, a variable is left out', () => {
  using rig = openRig()
  rig.shell(`B="$(printf 'x\\377')" A=1 exec env "$0" state`)
  expect(rig.request().env.get('A')).toBe('1')
  expect(rig.request().env.has('B')).toBe(false)
  rig.shell('cd "$(dirname "$0")" && rm request seen')
  rig.shell(`exec "$0" state "$(printf 'x\\377')"`)
  expect(() => rig.request()).toThrow('argument 2 is not UTF-8')
})

test('an argv without argv[0] is not supervised and not a crash', () => {
  using rig = openRig()
  const { status } = rig.shell(`exec "$(dirname "$0")/node" --without-arguments "$0"`)
  expect(status).toBe(0)
  // Since Linux 5.18 the kernel puts an empty string there.
  expect(rig.request().argv.join('')).toBe('')
})

test('arguments of the size that the kernel allows arrive whole', () => {
  using rig = openRig()
  const long = 'x'.repeat(131_071)
  const many = Array.from({ length: 2000 }, (_, i) => `argument-${i}`)
  rig.run(['state', long, ...many, long, 'y'.repeat(4096), 'z'.repeat(4095)])
  const { argv } = rig.request()
  expect(argv.slice(1)).toEqual(['state', long, ...many, long, 'y'.repeat(4096), 'z'.repeat(4095)])
})
