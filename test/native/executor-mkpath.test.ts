import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { flags, RESOLVE, type ResolveFlag } from '../../src/lower/constants.ts'
import { ANY_ERRNO, FD } from '../../src/lower/instruction-set.ts'
import { address, immediate, slotValue } from '../../src/lower/operands.ts'
import { assemble, makeDirectory, startProgram, withRule } from './run-program.ts'

interface Request {
  readonly path: string
  readonly kind?: 'directory' | 'file'
  readonly mode?: number
  readonly resolve?: ResolveFlag
}

/** A root with this in it: `dir/`, `file`, `link -> target`. */
function makeRoot(tree: readonly string[]): string {
  const root = join(makeDirectory('mkpath'), 'root')
  mkdirSync(root)
  for (const entry of tree) {
    const [name = '', target] = entry.split(' -> ')
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    if (target !== undefined) symlinkSync(target, path)
    else if (name.endsWith('/')) mkdirSync(path)
    else writeFileSync(path, 'kept')
  }
  return root
}

/** `755 dir/`, `644 file`, `link -> target`, sorted. */
function listTree(root: string): string[] {
  return listBelow(root, '').toSorted()
}

function listBelow(root: string, directory: string): string[] {
  return readdirSync(join(root, directory)).flatMap((entry) => {
    const name = join(directory, entry)
    const stat = lstatSync(join(root, name))
    if (stat.isSymbolicLink()) return [`${name} -> ${readlinkSync(join(root, name))}`]
    const mode = (stat.mode & 0o7777).toString(8)
    return stat.isDirectory() ? [`${mode} ${name}/`, ...listBelow(root, name)] : [`${mode} ${name}`]
  })
}

function writeRequest({ path, kind = 'directory', mode, resolve }: Request): Uint8Array {
  return assemble((asm) => {
    const fd = asm.slot('fd')
    asm.call('umask', [immediate(0)])
    asm.mkpath(asm.given('root'), path, kind, {
      into: fd,
      ...(mode !== undefined && { mode }),
      ...(resolve !== undefined && { resolve: flags(RESOLVE, resolve) }),
    })
    asm.meet(0, '', { fds: [slotValue(fd)] })
  })
}

/** Where the fd leads to below the root, or the errno. No other fd is left open. */
function makePath(root: string, request: Request): string {
  const directory = openSync(root, 'r')
  using run = startProgram(writeRequest(request), [directory])
  closeSync(directory)
  const meeting = run.receive()
  if (meeting === undefined) {
    expect(run.end()).toEqual({ code: 1 })
    const { errno = '', ...lane } = run.lane()
    expect(lane).toEqual({ next: 2, state: 'failed', code: 0 })
    return errno
  }
  const [fd = -1] = meeting.fds
  const own = run.descriptors().filter((known) => known > 2 && known !== FD.control)
  expect(own).toHaveLength(2)
  expect(own.filter((known) => known !== FD.given).map(run.isCloseOnExec)).toEqual([true])
  const path = readlinkSync(`/proc/self/fd/${fd}`)
  closeSync(fd)
  return path === root ? '/' : path.replace(`${root}/`, '')
}

interface Case extends Request {
  readonly name: string
  readonly tree?: readonly string[]
  /** Where it leads to, or an errno. */
  readonly leads: string
  readonly made?: readonly string[]
}

const DEEP = Array.from({ length: 60 }, (_, index) => `d${index}`)
const chain = (length: number): string[] =>
  Array.from({ length }, (_, index) => `l${index} -> l${index + 1}`)

const CASES: readonly Case[] = [
  // what is there stays as it is
  { name: 'a directory that exists', tree: ['a/b/'], path: 'a/b', leads: 'a/b' },
  { name: 'a file that exists', tree: ['a/f'], path: 'a/f', kind: 'file', leads: 'a/f' },
  { name: 'a file where a directory is wanted', tree: ['a'], path: 'a', leads: 'a' },
  { name: 'a directory where a file is wanted', tree: ['a/'], path: 'a', kind: 'file', leads: 'a' },
  { name: 'the root', path: '/', leads: '/' },
  { name: 'the root by no name', path: '', leads: '/' },
  { name: 'the root by its dots', path: './..', leads: '/' },
  // what is missing is made
  { name: 'a missing directory', path: 'a', leads: 'a', made: ['755 a/'] },
  {
    name: 'missing directories with an exact mode',
    path: '/a/b/c',
    mode: 0o1777,
    leads: 'a/b/c',
    made: ['755 a/', '755 a/b/', '1777 a/b/c/'],
  },
  {
    name: 'a missing file in a missing directory',
    path: 'a/f',
    kind: 'file',
    leads: 'a/f',
    made: ['755 a/', '644 a/f'],
  },
  {
    name: 'a missing file with an exact mode',
    path: 'f',
    kind: 'file',
    mode: 0o666,
    leads: 'f',
    made: ['666 f'],
  },
  {
    name: 'sixty missing directories',
    path: DEEP.join('/'),
    leads: DEEP.join('/'),
    made: DEEP.map((_, index) => `755 ${DEEP.slice(0, index + 1).join('/')}/`),
  },
  {
    name: 'slashes and dots in plenty',
    path: '//a/./b//./c/.',
    leads: 'a/b/c',
    made: ['755 a/', '755 a/b/', '755 a/b/c/'],
  },
  {
    name: 'names of any characters',
    path: ' a\n/…/\\"',
    leads: ' a\n/…/\\"',
    made: ['755  a\n/', '755  a\n/…/', '755  a\n/…/\\"/'],
  },
  // .. goes back, and never out
  { name: 'dots that lead out', path: '../../../a', leads: 'a', made: ['755 a/'] },
  {
    name: 'dots after what is missing',
    path: 'a/b/../c',
    leads: 'a/c',
    made: ['755 a/', '755 a/b/', '755 a/c/'],
  },
  {
    name: 'dots after a link go back from where it led to',
    tree: ['x/y/', 'l -> x/y'],
    path: 'l/../z',
    leads: 'x/z',
    made: ['755 x/z/'],
  },
  // links are followed, in the root
  { name: 'a link', tree: ['a/b/', 'l -> a'], path: 'l/b', leads: 'a/b' },
  { name: 'a link at the end', tree: ['a/f', 'l -> a/f'], path: 'l', kind: 'file', leads: 'a/f' },
  {
    name: 'an absolute link',
    tree: ['a/b/', 'a/l -> /a/b'],
    path: 'a/l/c',
    leads: 'a/b/c',
    made: ['755 a/b/c/'],
  },
  {
    name: 'a dangling link: /etc/resolv.conf of many distributions',
    tree: ['etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf'],
    path: '/etc/resolv.conf',
    kind: 'file',
    leads: 'run/systemd/resolve/stub-resolv.conf',
    made: [
      '755 run/',
      '755 run/systemd/',
      '755 run/systemd/resolve/',
      '644 run/systemd/resolve/stub-resolv.conf',
    ],
  },
  {
    name: 'a dangling absolute link',
    tree: ['etc/l -> /tsrunc-test-escape/f'],
    path: 'etc/l',
    kind: 'file',
    leads: 'tsrunc-test-escape/f',
    made: ['755 tsrunc-test-escape/', '644 tsrunc-test-escape/f'],
  },
  {
    name: 'a dangling link in the middle',
    tree: ['l -> a/b'],
    path: 'l/c',
    leads: 'a/b/c',
    made: ['755 a/', '755 a/b/', '755 a/b/c/'],
  },
  {
    name: 'a dangling link to a dangling link',
    tree: ['l -> m/', 'a/', 'm -> a/n', 'a/n -> ../o'],
    path: 'l',
    leads: 'o',
    made: ['755 o/'],
  },
  {
    name: 'a dangling link that leads out by its dots',
    tree: ['etc/l -> ../../../../../../../../tsrunc-test-escape'],
    path: 'etc/l',
    leads: 'tsrunc-test-escape',
    made: ['755 tsrunc-test-escape/'],
  },
  {
    name: 'a link to the root, then what is missing',
    tree: ['a/l -> /'],
    path: 'a/l/b',
    leads: 'b',
    made: ['755 b/'],
  },
  {
    name: 'forty links of which the last dangles',
    tree: chain(40),
    path: 'l0',
    leads: 'l40',
    made: ['755 l40/'],
  },
  // what must not be
  { name: 'forty-one links', tree: chain(41), path: 'l0', leads: 'ELOOP' },
  {
    name: 'forty links behind what is missing',
    tree: chain(40),
    path: 'new/../l0',
    leads: 'l40',
    made: ['755 new/', '755 l40/'],
  },
  {
    name: 'forty-one links behind what is missing',
    tree: chain(41),
    path: 'new/../l0',
    leads: 'ELOOP',
    made: ['755 new/'],
  },
  { name: 'a link to itself', tree: ['l -> l'], path: 'l', leads: 'ELOOP' },
  { name: 'links in a circle', tree: ['a -> b', 'b -> a'], path: 'a/x', leads: 'ELOOP' },
  {
    name: 'a circle behind what is missing',
    tree: ['a -> new/../b', 'b -> a'],
    path: 'a',
    leads: 'ELOOP',
    made: ['755 new/'],
  },
  { name: 'a file in the way', tree: ['f'], path: 'f/a', leads: 'ENOTDIR' },
  {
    name: 'a file in the way, behind a link',
    tree: ['f', 'l -> f'],
    path: 'l/a',
    leads: 'ENOTDIR',
  },
  {
    name: 'a way back from a file',
    tree: ['f'],
    path: 'a/../f/../b',
    leads: 'ENOTDIR',
    made: ['755 a/'],
  },
  { name: 'a name that is too long', path: 'x'.repeat(256), leads: 'ENAMETOOLONG' },
  { name: 'a path that is too long', path: 'x/'.repeat(2048), leads: 'ENAMETOOLONG' },
  // proc and sysfs go to no other place than their own (CVE-2023-27561)
  {
    name: 'no links: a link',
    tree: ['a/', 'proc -> a'],
    path: 'proc',
    resolve: 'NO_SYMLINKS',
    leads: 'ELOOP',
  },
  {
    name: 'no links: a link in the middle',
    tree: ['a/', 'l -> a'],
    path: 'l/b',
    resolve: 'NO_SYMLINKS',
    leads: 'ELOOP',
  },
  {
    name: 'no links: a dangling link',
    tree: ['proc -> a'],
    path: 'proc',
    resolve: 'NO_SYMLINKS',
    leads: 'ELOOP',
  },
  {
    name: 'no links: a link behind what is missing',
    tree: ['l -> a'],
    path: 'new/../l',
    resolve: 'NO_SYMLINKS',
    leads: 'ELOOP',
    made: ['755 new/'],
  },
  {
    name: 'no links: none is there',
    path: 'a/proc',
    resolve: 'NO_SYMLINKS',
    leads: 'a/proc',
    made: ['755 a/', '755 a/proc/'],
  },
]

describe('mkpath', () => {
  test.each(CASES)('$name', ({ tree = [], leads, made = [], ...request }) => {
    const root = makeRoot(tree)
    const before = listTree(root)
    expect(makePath(root, request)).toBe(leads)
    expect(listTree(root)).toEqual([...before, ...made].toSorted())
    expect(readdirSync(dirname(root))).toEqual(['root'])
    expect(existsSync('/tsrunc-test-escape')).toBe(false)
  })

  test('does not open what it finds: a fifo', () => {
    const root = makeRoot([])
    execFileSync('mkfifo', [join(root, 'fifo')])
    expect(makePath(root, { path: 'fifo', kind: 'file' })).toBe('fifo')
  })

  test('does not take a magic link', () => {
    expect(makePath('/', { path: '/proc/self/cwd/tsrunc-test-escape' })).toBe('ELOOP')
  })

  test('stays on one filesystem when told so', () => {
    expect(makePath('/', { path: '/proc/tsrunc-test', resolve: 'NO_XDEV' })).toBe('EXDEV')
  })

  test('gives a file to whoever makes it with the mode that the umask leaves', () => {
    const root = makeRoot([])
    const directory = openSync(root, 'r')
    const program = assemble((asm) => {
      asm.call('umask', [immediate(0o077)])
      asm.mkpath(asm.given('root'), 'a/f', 'file')
    })
    using run = startProgram(program, [directory])
    closeSync(directory)
    expect(run.end()).toEqual({ code: 0 })
    expect(listTree(root)).toEqual(['600 a/f', '700 a/'])
  })

  test.each([
    ['no fd', -1, 'EBADF'],
    ['no directory', 0, 'ENOTDIR'],
  ] as const)('of %s fails', (_, root, errno) => {
    using run = startProgram(assemble((asm) => asm.mkpath(immediate(root), 'a', 'directory')))
    expect(run.end()).toEqual({ code: 1 })
    expect(run.lane()).toEqual({ next: 1, state: 'failed', errno, code: 0 })
  })

  test('goes by its rules when it fails', () => {
    const program = assemble((asm) => {
      const failed = asm.label('failed')
      asm.mkpath(immediate(-1), 'a', 'directory', { on: { EBADF: failed } })
      asm.fail(1, 'went on')
      asm.place(failed)
      asm.fail(2, 'failed')
    })
    using run = startProgram(program)
    run.end()
    expect(run.lane()).toMatchObject({ next: 3, code: 2 })
  })

  test('leaves no fd behind, however it fails', () => {
    const long = `long -> ${'y/'.repeat(1500)}`
    const root = openSync(makeRoot(['l -> new/../l', 'f', long]), 'r')
    const paths = [
      'a/b/../../l',
      'a/../f/../b',
      `a/${'x'.repeat(300)}`,
      `long/${'z/'.repeat(1500)}`,
    ]
    for (const path of paths) {
      const program = assemble((asm) => {
        asm.mkpath(asm.given('root'), path, 'directory')
        asm.meet(0, '')
      })
      using run = startProgram(withRule(program, 0, { errno: ANY_ERRNO, target: 1 }), [root])
      run.receive()
      expect(run.descriptors()).toEqual([0, 1, 2, FD.control, FD.given])
    }
    closeSync(root)
  })
})

/** Lets the names of each pair change places, a few thousand times. */
function writeSwap(...pairs: readonly (readonly [string, string])[]): Uint8Array {
  const exchange = immediate(2)
  return assemble((asm) => {
    const root = asm.given('root')
    const operands = pairs.map(([a, b]) => {
      const [from, to] = [address(asm.string(a), a), address(asm.string(b), b)]
      return [root, from, root, to, exchange]
    })
    for (let i = 0; i < 3000; i++) {
      for (const pair of operands) asm.call('renameat2', pair)
    }
  })
}

describe('while others work in the same root', () => {
  const PATH = 'a/b/c/d/e/f/g'

  test('several make the same path: all of them have it', () => {
    const root = makeRoot([])
    const directory = openSync(root, 'r')
    const program = writeRequest({ path: PATH })
    const runs = Array.from({ length: 8 }, () => startProgram(program, [directory]))
    closeSync(directory)
    for (const run of runs) {
      const [fd = -1] = run.receive()?.fds ?? []
      expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(join(root, PATH))
      closeSync(fd)
      run[Symbol.dispose]()
    }
  })

  test('look-ups that the kernel gives up for a rename are begun again', () => {
    const directory = openSync(makeRoot(['a/b/', 'x', 'y']), 'r')
    const make = assemble((asm) => {
      const fd = asm.slot('fd')
      for (let i = 0; i < 4000; i++) {
        asm.mkpath(asm.given('root'), 'a/b/../../a/b/..', 'directory', { into: fd })
        asm.call('close', [slotValue(fd)])
      }
    })
    const swap = writeSwap(['x', 'y'])
    const swapping = Array.from({ length: 4 }, () => startProgram(swap, [directory]))
    using making = startProgram(make, [directory])
    closeSync(directory)
    expect(making.end()).toEqual({ code: 0 })
    for (const run of swapping) {
      expect(run.end()).toEqual({ code: 0 })
      run[Symbol.dispose]()
    }
  })

  test('a directory and a link out of the root change places: nothing is made outside', () => {
    const root = makeRoot(['dir/', 'link -> ../outside', 'deep/dir/', 'deep/link -> ../../outside'])
    const outside = join(dirname(root), 'outside')
    mkdirSync(outside)
    const directory = openSync(root, 'r')
    const swap = writeSwap(['dir', 'link'], ['deep/dir', 'deep/link'])
    const make = assemble((asm) => {
      for (let i = 0; i < 100; i++) {
        const [next, fd] = [asm.label(`next${i}`), asm.slot('fd')]
        const path = `${i % 2 === 0 ? '' : 'deep/'}dir/${i}/../x/${i}`
        asm.mkpath(asm.given('root'), path, 'directory', { into: fd, on: { '*': next } })
        asm.call('close', [slotValue(fd)])
        asm.place(next)
      }
    })
    using swapping = startProgram(swap, [directory])
    for (let i = 0; i < 5; i++) {
      using making = startProgram(make, [directory])
      expect(making.end()).toEqual({ code: 0 })
    }
    expect(swapping.end()).toEqual({ code: 0 })
    closeSync(directory)
    expect(readdirSync(outside)).toEqual([])
    expect(readdirSync(dirname(root)).toSorted()).toEqual(['outside', 'root'])
  })
})
