/** The table of mount options: what each word means to the new mount API. */
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
  /** Options that are known but not supported yet, by their index. */
  readonly unsupported: readonly { readonly index: number; readonly option: string }[]
}

type Meaning =
  | { readonly bind: 'alone' | 'recursive' }
  | { readonly set: MountAttribute }
  | { readonly clear: MountAttribute }
  | { readonly propagation: Propagation }
  | { readonly superblock: string }
  | { readonly copyUp: true }
  | { readonly unsupported: true }
  | { readonly nothing: string }

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
  sync: { superblock: 'sync' },
  async: { superblock: 'async' },
  dirsync: { superblock: 'dirsync' },
  lazytime: { superblock: 'lazytime' },
  nolazytime: { superblock: 'nolazytime' },
  mand: { superblock: 'mand' },
  nomand: { superblock: 'nomand' },
  tmpcopyup: { copyUp: true },
  defaults: { nothing: 'rw, suid, dev, exec and async are the defaults' },
  silent: { nothing: 'a flag of mount(2) alone, about messages in the kernel log' },
  loud: { nothing: 'the opposite of silent' },
  iversion: { nothing: 'filesystems with inode versions have them always on' },
  noiversion: { nothing: 'the opposite of iversion' },
  remount: { unsupported: true },
  idmap: { unsupported: true },
  ridmap: { unsupported: true },
  'copy-symlink': { unsupported: true },
  'src-nofollow': { unsupported: true },
  'dest-nofollow': { unsupported: true },
}

/** Every option that is not passed on to the filesystem; `features` prints them. */
export const MOUNT_OPTIONS: readonly string[] = [
  ...Object.keys(OTHERS).filter((option) => !('unsupported' in (OTHERS[option] ?? {}))),
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
  const unsupported: { index: number; option: string }[] = []
  let bind: MountWishes['bind']
  let copyUp = false
  for (const [index, option] of options.entries()) {
    const { meaning, isRecursive } = findMeaning(option)
    if (meaning === undefined) {
      if (option.startsWith('idmap=')) unsupported.push({ index, option })
      else parameters.push(...parseParameters(option))
    } else if ('bind' in meaning) bind = meaning.bind
    else if ('set' in meaning) decide(isRecursive ? recursive : attributes, meaning.set, true)
    else if ('clear' in meaning) decide(isRecursive ? recursive : attributes, meaning.clear, false)
    else if ('propagation' in meaning) {
      propagation.push({ propagation: meaning.propagation, recursive: isRecursive })
    } else if ('superblock' in meaning) {
      superblock.set(meaning.superblock.replace(/^(no|a)(?=sync|lazytime|mand)/, ''), {
        key: meaning.superblock,
      })
    } else if ('copyUp' in meaning) copyUp = true
    else if ('unsupported' in meaning) unsupported.push({ index, option })
  }
  return {
    ...(bind === undefined ? {} : { bind }),
    attributes: changeOf(attributes),
    recursiveAttributes: changeOf(recursive),
    propagation,
    superblock: [...superblock.values()],
    parameters,
    copyUp,
    unsupported,
  }
}

function findMeaning(option: string): { meaning?: Meaning | undefined; isRecursive: boolean } {
  const plain = lookUp(option, OTHERS) ?? lookUp(option, ATTRIBUTES) ?? lookUp(option, PROPAGATIONS)
  if (plain !== undefined || !option.startsWith('r')) return { meaning: plain, isRecursive: false }
  const base = option.slice(1)
  return { meaning: lookUp(base, ATTRIBUTES) ?? lookUp(base, PROPAGATIONS), isRecursive: true }
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
    return at < 0 ? { key: entry } : { key: entry.slice(0, at), value: entry.slice(at + 1) }
  })
}
