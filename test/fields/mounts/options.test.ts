import { describe, expect, test } from 'vitest'
import { MOUNT_OPTIONS, parseMountOptions } from '../../../src/fields/mounts/options.ts'

const NOTHING = {
  attributes: { set: [], clear: [] },
  recursiveAttributes: { set: [], clear: [] },
  propagation: [],
  superblock: [],
  parameters: [],
  copyUp: false,
  remount: false,
  copySymlink: false,
  sourceNofollow: false,
  destinationNofollow: false,
}

describe('mount options', () => {
  test('attributes are set and cleared, the last word counts', () => {
    expect(parseMountOptions(['ro', 'nosuid', 'rw', 'nodev', 'suid', 'noexec'])).toEqual({
      ...NOTHING,
      attributes: { set: ['nodev', 'noexec'], clear: ['rdonly', 'nosuid'] },
    })
  })

  test('of the access times there is one', () => {
    const timesOf = (...options: string[]) => parseMountOptions(options).attributes.set
    expect(timesOf('noatime', 'strictatime')).toEqual(['strictatime'])
    expect(timesOf('noatime', 'atime')).toEqual(['relatime'])
    expect(timesOf('strictatime', 'atime')).toEqual(['strictatime'])
    expect(timesOf('strictatime', 'nostrictatime')).toEqual(['relatime'])
    expect(timesOf('relatime', 'nodiratime')).toEqual(['relatime', 'nodiratime'])
  })

  test('recursive attributes are kept apart', () => {
    expect(parseMountOptions(['rro', 'nosuid', 'rnodev', 'rexec', 'rnoatime'])).toEqual({
      ...NOTHING,
      attributes: { set: ['nosuid'], clear: [] },
      recursiveAttributes: { set: ['rdonly', 'nodev', 'noatime'], clear: ['noexec'] },
    })
  })

  test('propagation keeps its order, bind and rbind are told apart', () => {
    expect(parseMountOptions(['rbind', 'rslave', 'shared'])).toEqual({
      ...NOTHING,
      bind: 'recursive',
      propagation: [
        { propagation: 'slave', recursive: true },
        { propagation: 'shared', recursive: false },
      ],
    })
    expect(parseMountOptions(['bind']).bind).toBe('alone')
  })

  test('flags of the superblock are those that fsconfig knows, the last one of a pair', () => {
    const { superblock } = parseMountOptions(['sync', 'lazytime', 'async', 'dirsync', 'nomand'])
    expect(superblock.map(({ key }) => key)).toEqual(['async', 'lazytime', 'dirsync', 'nomand'])
  })

  test('what is left is the filesystem’s, split as mount(2) would', () => {
    const { parameters } = parseMountOptions([
      'size=64k',
      'mode=755,nr_inodes=1k',
      'newinstance',
      'lowerdir=/a\\,b:/c',
      'context="a,b"',
      '',
    ])
    expect(parameters).toEqual([
      { key: 'size', value: '64k' },
      { key: 'mode', value: '755' },
      { key: 'nr_inodes', value: '1k' },
      { key: 'newinstance' },
      { key: 'lowerdir', value: '/a\\,b:/c' },
      { key: 'context', value: 'a,b' },
    ])
  })

  test('what mount(2) has flags for, and fsconfig no words', () => {
    const keys = (...options: string[]) =>
      parseMountOptions(options).superblock.map(({ key }) => key)
    expect(keys('silent', 'iversion', 'acl')).toEqual(['silent', 'iversion', 'acl'])
    expect(keys('silent', 'iversion', 'acl', 'loud', 'noiversion', 'noacl')).toEqual([])
  })

  test('crun’s recursive words about a superblock are the plain ones', () => {
    expect(parseMountOptions(['rsync', 'rmand']).superblock).toEqual([
      { key: 'sync' },
      { key: 'mand' },
    ])
  })

  test('words that are about links and about mounts that are there', () => {
    expect(parseMountOptions(['remount', 'copy-symlink', 'src-nofollow', 'dest-nofollow'])).toEqual(
      {
        ...NOTHING,
        remount: true,
        copySymlink: true,
        sourceNofollow: true,
        destinationNofollow: true,
      },
    )
  })

  test('words without effect are swallowed, words of Object are parameters', () => {
    expect(parseMountOptions(['defaults', 'silent', 'loud', 'iversion', 'noiversion'])).toEqual(
      NOTHING,
    )
    expect(parseMountOptions(['constructor']).parameters).toEqual([{ key: 'constructor' }])
  })

  test('ids: the last word counts, with what crun lets it say', () => {
    expect(parseMountOptions(['idmap']).idmap).toEqual({ index: 0, recursive: false })
    expect(parseMountOptions(['idmap', 'ro', 'ridmap=uids=0-1-2;gids=0-1-2']).idmap).toEqual({
      index: 2,
      recursive: true,
      custom: 'uids=0-1-2;gids=0-1-2',
    })
  })

  test('every option that the spec demands is known', () => {
    const must =
      'async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev ' +
      'nodiratime noexec noiversion nolazytime norelatime nostrictatime nosuid private rbind ' +
      'relatime remount ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid ' +
      'sync unbindable mand nomand tmpcopyup symfollow nosymfollow rro rrw rnosuid rsuid rnodev ' +
      'rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime ' +
      'rstrictatime rnostrictatime rnosymfollow rsymfollow'
    expect(must.split(' ').filter((option) => !MOUNT_OPTIONS.includes(option))).toEqual([])
    for (const option of MOUNT_OPTIONS) {
      expect(parseMountOptions([option]).parameters, option).toEqual([])
    }
  })
})
