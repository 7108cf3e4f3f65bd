/** The table of mount options: what each word means to the new mount API. */
import { isContextType } from '../../plan/mount-context.ts'
import type {
  AttributeChange,
  FilesystemParameter,
  MountAttribute,
  Propagation,
  PropagationChange,
} from '../../plan/steps.ts'

/** Everything that the options of one mount ask for. */
export interface MountWishes {
  readonly bind?: 'alone' | 'recursive'
  readonly attributes: AttributeChange
  readonly recursiveAttributes: AttributeChange
  readonly propagation: readonly PropagationChange[]
  /** Flags of the superblock: `sync`, `dirsync`, … without effect on a bind mount. */
  readonly superblock: readonly FilesystemParameter[]
  /** What is no option of ours is the filesystem's. */
  readonly parameters: readonly FilesystemParameter[]
  readonly copyUp: boolean
  /** A mount that is there already is changed, none is made. */
  readonly remount: boolean
  /** A source that is a link becomes a link in the container. */
  readonly copySymlink: boolean
  /** What is at the end of the path counts, be it a link. */
  readonly sourceNofollow: boolean
  readonly destinationNofollow: boolean
  /** `idmap` or `ridmap`, and what crun's form of them says after `=`. */
  readonly idmap?: { readonly index: number; readonly recursive: boolean; readonly custom?: string }
}

type Meaning =
  | { readonly bind: 'alone' | 'recursive' }
  | { readonly set: MountAttribute }
  | { readonly clear: MountAttribute }
  | { readonly propagation: Propagation }
  /** `family` is taken back by its other words; of these `word` is '' where it is the default. */
  | { readonly superblock: string; readonly word: string }
  | { readonly mark: Mark }
  | { readonly idmap: 'alone' | 'recursive' }
  | { readonly nothing: string }

type Mark = 'copyUp' | 'remount' | 'copySymlink' | 'sourceNofollow' | 'destinationNofollow'

/** Each of these has a recursive form with an `r` before it. */
const ATTRIBUTES: Readonly<Record<string, Meaning>> = {
  ro: { set: 'rdonly' },
  rw: { clear: 'rdonly' },
  nosuid: { set: 'nosuid' },
  suid: { clear: 'nosuid' },
  nodev: { set: 'nodev' },
  dev: { clear: 'nodev' },
  noexec: { set: 'noexec' },
  exec: { clear: 'noexec' },
  nodiratime: { set: 'nodiratime' },
  diratime: { clear: 'nodiratime' },
  nosymfollow: { set: 'nosymfollow' },
  symfollow: { clear: 'nosymfollow' },
  // The three below are one field of the kernel with three values: relatime is its zero.
  noatime: { set: 'noatime' },
  atime: { clear: 'noatime' },
  relatime: { set: 'relatime' },
  norelatime: { clear: 'relatime' },
  strictatime: { set: 'strictatime' },
  nostrictatime: { clear: 'strictatime' },
}

const PROPAGATIONS: Readonly<Record<string, Meaning>> = {
  private: { propagation: 'private' },
  shared: { propagation: 'shared' },
  slave: { propagation: 'slave' },
  unbindable: { propagation: 'unbindable' },
}

const OTHERS: Readonly<Record<string, Meaning>> = {
  bind: { bind: 'alone' },
  rbind: { bind: 'recursive' },
  // The words that fsconfig(2) knows for every filesystem.
  sync: { superblock: 'sync', word: 'sync' },
  async: { superblock: 'sync', word: 'async' },
  dirsync: { superblock: 'dirsync', word: 'dirsync' },
  lazytime: { superblock: 'lazytime', word: 'lazytime' },
  nolazytime: { superblock: 'lazytime', word: 'nolazytime' },
  mand: { superblock: 'mand', word: 'mand' },
  nomand: { superblock: 'mand', word: 'nomand' },
  // Flags of mount(2), for which fsconfig(2) has no words.
  silent: { superblock: 'silent', word: 'silent' },
  loud: { superblock: 'silent', word: '' },
  iversion: { superblock: 'iversion', word: 'iversion' },
  noiversion: { superblock: 'iversion', word: '' },
  acl: { superblock: 'acl', word: 'acl' },
  noacl: { superblock: 'acl', word: '' },
  tmpcopyup: { mark: 'copyUp' },
  remount: { mark: 'remount' },
  'copy-symlink': { mark: 'copySymlink' },
  'src-nofollow': { mark: 'sourceNofollow' },
  'dest-nofollow': { mark: 'destinationNofollow' },
  defaults: { nothing: 'rw, suid, dev, exec and async are the defaults' },
  idmap: { idmap: 'alone' },
  ridmap: { idmap: 'recursive' },
}

/** crun has recursive forms of these, too: a superblock has nothing below it. */
const RECURSIVE_OTHERS: readonly string[] = ['sync', 'async', 'dirsync', 'mand', 'nomand']

/** Every option that is not passed on to the filesystem; `features` prints them. */
export const MOUNT_OPTIONS: readonly string[] = [
  ...Object.keys(OTHERS),
  ...RECURSIVE_OTHERS.map((name) => `r${name}`),
  ...[...Object.keys(ATTRIBUTES), ...Object.keys(PROPAGATIONS)].flatMap((name) => [
    name,
    `r${name}`,
  ]),
].toSorted()

export function parseMountOptions(options: readonly string[]): MountWishes {
  const attributes = new Map<MountAttribute, boolean>()
  const recursive = new Map<MountAttribute, boolean>()
  const propagation: PropagationChange[] = []
  const superblock = new Map<string, FilesystemParameter>()
  const parameters: FilesystemParameter[] = []
  const marks = new Set<Mark>()
  let bind: MountWishes['bind']
  let idmap: MountWishes['idmap']
  for (const [index, option] of options.entries()) {
    const [, name = option, custom] = /^(r?idmap)=(.*)$/s.exec(option) ?? []
    const { meaning, isRecursive } = findMeaning(name)
    if (meaning === undefined) {
      parameters.push(...parseParameters(option))
    } else if ('bind' in meaning) bind = meaning.bind
    else if ('set' in meaning) decide(isRecursive ? recursive : attributes, meaning.set, true)
    else if ('clear' in meaning) decide(isRecursive ? recursive : attributes, meaning.clear, false)
    else if ('propagation' in meaning) {
      propagation.push({ propagation: meaning.propagation, recursive: isRecursive })
    } else if ('superblock' in meaning) {
      if (meaning.word === '') superblock.delete(meaning.superblock)
      else superblock.set(meaning.superblock, { key: meaning.word })
    } else if ('mark' in meaning) marks.add(meaning.mark)
    else if ('idmap' in meaning) {
      const recursive = meaning.idmap === 'recursive'
      idmap = { index, recursive, ...(custom !== undefined && { custom }) }
    }
  }
  return {
    ...(bind === undefined ? {} : { bind }),
    attributes: changeOf(attributes),
    recursiveAttributes: changeOf(recursive),
    propagation,
    superblock: [...superblock.values()],
    parameters,
    copyUp: marks.has('copyUp'),
    remount: marks.has('remount'),
    copySymlink: marks.has('copySymlink'),
    sourceNofollow: marks.has('sourceNofollow'),
    destinationNofollow: marks.has('destinationNofollow'),
    ...(idmap === undefined ? {} : { idmap }),
  }
}

function findMeaning(option: string): { meaning?: Meaning | undefined; isRecursive: boolean } {
  const plain = lookUp(option, OTHERS) ?? lookUp(option, ATTRIBUTES) ?? lookUp(option, PROPAGATIONS)
  if (plain !== undefined || !option.startsWith('r')) return { meaning: plain, isRecursive: false }
  const base = option.slice(1)
  const recursive = lookUp(base, ATTRIBUTES) ?? lookUp(base, PROPAGATIONS)
  const other = RECURSIVE_OTHERS.includes(base) ? lookUp(base, OTHERS) : undefined
  return { meaning: recursive ?? other, isRecursive: true }
}

function lookUp(option: string, table: Readonly<Record<string, Meaning>>): Meaning | undefined {
  return Object.hasOwn(table, option) ? table[option] : undefined
}

const ACCESS_TIMES = ['noatime', 'strictatime', 'relatime'] as const

/** The last word about an attribute counts; of access times there is one. */
function decide(wishes: Map<MountAttribute, boolean>, name: MountAttribute, on: boolean): void {
  const isAccessTime = ACCESS_TIMES.some((time) => time === name)
  if (!isAccessTime) {
    wishes.set(name, on)
    return
  }
  const wished = ACCESS_TIMES.find((time) => wishes.get(time) === true)
  // `atime` takes back `noatime`, not `strictatime`; what remains is the kernel's default.
  if (!on && wished !== undefined && wished !== name) return
  for (const time of ACCESS_TIMES) wishes.delete(time)
  wishes.set(on ? name : 'relatime', true)
}

function changeOf(wishes: ReadonlyMap<MountAttribute, boolean>): AttributeChange {
  const names = (on: boolean) => [...wishes].filter((wish) => wish[1] === on).map(([name]) => name)
  return { set: names(true), clear: names(false) }
}

/** mount(2) takes parameters joined by commas, so one entry may hold several. */
function parseParameters(option: string): FilesystemParameter[] {
  const entries = option.match(/(?:\\.|"[^"]*"|[^,\\"]|["\\])+/g) ?? []
  return entries.map((entry) => {
    const at = entry.indexOf('=')
    if (at < 0) return { key: entry }
    const key = entry.slice(0, at)
    const value = entry.slice(at + 1)
    // In the one string of mount(2) a label with categories stands in quotes; SELinux removes them.
    return { key, value: isContextType(key) ? value.replaceAll('"', '') : value }
  })
}
