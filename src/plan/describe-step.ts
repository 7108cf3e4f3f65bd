/** A step in words: what `plan` prints, and what an error says that the step was doing. */
import type {
  AttributeChange,
  BindMount,
  IdRange,
  MountFilesystem,
  MountIdmap,
  Remount,
  Step,
  StepKind,
} from './steps.ts'
import type { BusValue, UnitProperty } from './unit-property.ts'

const ENTER = {
  pivot: 'pivot into',
  move: 'move to',
  chroot: "return to the runtime's mount namespace, with a detached copy as",
} as const

type Describe<K extends StepKind> = (step: Extract<Step, { readonly kind: K }>) => string

const DESCRIBE: { readonly [K in StepKind]: Describe<K> } = {
  'make-cgroup': ({ hierarchy, path, inherit, enable }) =>
    `make cgroup ${hierarchy}${path}${list(', inheriting', inherit)}${list(', enabling', enable)}`,
  'start-unit': ({ unit, path, properties }) =>
    `start unit ${unit} around init, its cgroup ${path}${describeProperties(properties)}`,
  'set-unit-properties': ({ unit, properties }) =>
    `set properties of unit ${unit}${describeProperties(properties)}`,
  'write-cgroup-file': ({ hierarchy, path, file, value }) =>
    `write ${quote(value)} to ${hierarchy}${path}/${file}`,
  'attach-device-filter': ({ hierarchy, path, listing }) =>
    `attach device filter of ${listing.length} instructions to ${hierarchy}${path}`,
  'join-cgroup': ({ hierarchy, path, otherwise: other }) =>
    `join cgroup ${hierarchy}${path}${otherwise(other)}`,
  'own-cgroup': ({ hierarchy, path, uid }) => `give cgroup ${hierarchy}${path} to ${uid}`,
  'make-resctrl-group': ({ path, sharing, schemata }) =>
    `${sharing === 'given' ? 'find' : 'make'} resctrl group ${path}${list(' with', schemata)}`,
  'join-resctrl-group': ({ path }) => `join resctrl group ${path}`,
  'set-oom-score': ({ value, denied }) =>
    `set oom_score_adj ${value}${denied === undefined ? '' : ', if allowed'}`,
  'map-ids': ({ uidMappings, gidMappings, setgroups, helpers }) =>
    `map uids ${ranges(uidMappings)}, gids ${ranges(gidMappings)}` +
    `${setgroups === 'deny' ? ', denying setgroups' : ''}${helpers === undefined ? '' : `, by ${helpers.uid}`}`,
  'set-time-offsets': ({ offsets }) =>
    `set time offsets${offsets.map(({ clock, secs, nanosecs }) => ` ${clock} ${secs} s ${nanosecs} ns`).join(',')}`,
  'raise-limit': ({ type, soft, hard }) => `raise ${type} to ${limit(soft)}:${limit(hard)}`,
  'record-created': () => 'record that it is created',
  'run-hook': ({ hook, path, args, timeout }) =>
    `run ${hook} hook ${path}${list('', args.slice(1))}${timeout === undefined ? '' : `, for ${timeout} s at most`}`,
  'join-namespace': ({ namespace, path }) => `join ${namespace} namespace ${path}`,
  'set-dumpable': ({ dumpable }) =>
    dumpable ? 'let the caller write the id maps (dumpable)' : 'let nobody trace us (not dumpable)',
  'unshare-user-namespace': () => 'unshare user namespace',
  'unshare-time-namespace': () => 'unshare time namespace',
  'become-root': ({ uid, gid, keepsGroups }) =>
    `become ${uid}:${gid} of the user namespace${keepsGroups ? ', keeping the groups' : ''}`,
  'clone-init': ({ namespaces, intoCgroup }) =>
    `clone init${list(' in new namespaces', namespaces)}${intoCgroup === undefined ? '' : `, into cgroup ${intoCgroup}`}`,
  'hold-mount-namespace': () => "keep hold of the runtime's mount namespace",
  'join-container': ({ namespaces, root }) =>
    `join namespaces${list('', namespaces)} of the container${root === undefined ? '' : `, and its root ${root}`}`,
  'clone-process': ({ intoCgroup, otherwiseCgroup, awaited }) =>
    `clone process${intoCgroup === undefined ? '' : ` into cgroup ${intoCgroup}`}${otherwise(otherwiseCgroup)}${awaited ? ', and wait until it ends' : ''}`,
  'set-affinity': ({ cpus }) => `run on ${cpus.length} CPUs${list('', cpus.slice(0, 8))}`,
  'unshare-cgroup-namespace': () => 'unshare cgroup namespace',
  'new-session': () => 'start a session',
  'set-keyring-label': ({ label }) => `label keyrings ${quote(label)}`,
  'join-session-keyring': ({ name }) => `join session keyring ${name}`,
  'raise-loopback': () => 'bring lo up',
  'set-hostname': ({ name }) => `set hostname ${name}`,
  'set-domainname': ({ name }) => `set domainname ${name}`,
  'set-sysctl': ({ path, value }) => `write ${quote(value)} to /proc/sys/${path}`,
  'set-propagation': ({ change }) => `make / ${change.recursive ? 'r' : ''}${change.propagation}`,
  'bind-rootfs': ({ path, privateParent, openedBy }) =>
    `bind ${path} onto itself${privateParent ? ', its parent made private' : ''}${by(openedBy)}`,
  'mount-filesystem': (step) =>
    `mount ${step.type}${step.source === step.type ? '' : ` ${step.source}`} on ${step.destination}${describeMount(step)}${step.bindInstead === undefined ? '' : `, or bind ${step.bindInstead}`}`,
  'bind-mount': (step) =>
    `${step.recursive ? 'rbind' : 'bind'} ${step.source} on ${step.destination}${describeMount(step)}${by(step.openedBy)}`,
  remount: (step) => `remount ${step.destination}${describeMount(step)}`,
  'finish-readonly': ({ destination }) => `make ${destination} read-only`,
  'make-device': ({ path, type, major, minor, mode, uid, gid }) =>
    `make ${path} ${type}${type === 'p' ? '' : ` ${major}:${minor}`} ${octal(mode)} ${uid}:${gid}`,
  'make-symlink': ({ path, target }) => `link ${path} to ${target}`,
  'make-directory': ({ path }) => `make directory ${path}`,
  'mask-path': ({ path }) => `mask ${path}`,
  'make-path-readonly': ({ path }) => `make ${path} read-only`,
  unmount: ({ destination }) => `unmount ${destination}`,
  'enter-root': ({ method, propagation }) =>
    `${ENTER[method]} the root${propagation === undefined ? '' : `, made ${propagation.recursive ? 'r' : ''}${propagation.propagation}`}`,
  'own-stdio': ({ uid, gid }) => `give stdio to ${uid}:${gid}`,
  'open-terminal': ({ from }) =>
    `open a pty of ${from === 'container' ? 'the devpts on /dev/pts' : "the runtime's devpts"}`,
  'attach-terminal': ({ uid, size }) =>
    `make the pty the terminal of the session and stdio, owned by ${uid}${size === undefined ? '' : `, of ${size.rows} rows and ${size.columns} columns`}`,
  'bind-console': () => 'bind the terminal on /dev/console',
  'change-directory': ({ path }) => `change to ${path}`,
  'set-umask': ({ mask }) => `set umask ${octal(mask)}`,
  'set-limit': ({ type, soft, hard }) => `set ${type} ${limit(soft)}:${limit(hard)}`,
  'set-scheduler': ({ policy, flags, ...numbers }) =>
    `schedule as ${policy}${list(' with', flags)}${describeNumbers(numbers)}`,
  'set-io-priority': (step) => `set I/O priority ${step.class} ${step.priority}`,
  'set-personality': ({ domain }) => `set personality ${domain}`,
  'set-memory-policy': ({ mode, flags, nodes }) =>
    `set memory policy ${mode}${list(' with', flags)}${list(' for nodes', nodes)}`,
  'set-exec-label': ({ system, label }) => `set ${system} label ${quote(label)} for execve`,
  'no-new-privileges': () => 'set no_new_privs',
  'limit-bounding-set': ({ drop }) => `drop ${drop.length} capabilities from the bounding set`,
  'set-user': ({ uid, gid, additionalGids }) =>
    `become ${uid}:${gid}${additionalGids === undefined ? ', keeping the groups' : list(' with groups', additionalGids)}`,
  'set-capabilities': ({ effective, permitted, inheritable, ambient }) =>
    `set capabilities ${hex(effective)} effective, ${hex(permitted)} permitted, ${hex(inheritable)} inheritable${list(', ambient', ambient ?? [])}`,
  'verify-directory': () => 'verify that the cwd is inside the root',
  'find-executable': ({ candidates }) => `find executable${list('', candidates)}`,
  'wait-for-start': () => 'wait for start',
  'arrange-descriptors': ({ preserved }) =>
    `close all descriptors but stdio${preserved === 0 ? '' : ` and ${preserved} more`}`,
  'load-seccomp': ({ filter, flags, listener }) =>
    `load seccomp filter of ${Math.floor(Buffer.byteLength(filter, 'base64') / 8)} instructions${list(' with', flags)}${listener === undefined ? '' : `, its listener to ${listener.path}`}`,
  execute: ({ args }) => `execute${list('', args)}`,
  'read-home': ({ uid }) => `look up HOME of ${uid}`,
  'move-net-device': ({ device, name }) =>
    `move network device ${device}${name === device ? '' : ` as ${name}`}`,
  'inspect-executable': ({ name }) => `inspect the head of ${name}`,
}

export function describeStep(step: Step): string {
  // The table's entry for a kind takes the step of that kind: TypeScript cannot follow that.
  const describe = DESCRIBE[step.kind] as (step: Step) => string
  return describe(step)
}

function describeMount(step: MountFilesystem | BindMount | Remount): string {
  const parameters = step.kind === 'bind-mount' ? [] : step.parameters
  const words = [
    ...describeAttributes(step.attributes, ''),
    ...describeAttributes(step.recursiveAttributes, 'r'),
    ...step.propagation.map((change) => `${change.recursive ? 'r' : ''}${change.propagation}`),
    ...parameters.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)),
    ...(step.kind === 'mount-filesystem' && step.copyUp ? ['tmpcopyup'] : []),
    ...(step.kind === 'mount-filesystem' && step.label !== undefined
      ? [`label=${step.label}`]
      : []),
    ...(step.kind === 'bind-mount' && step.sourceNofollow ? ['src-nofollow'] : []),
    ...(step.kind !== 'remount' && step.nofollow ? ['dest-nofollow'] : []),
    ...(step.kind === 'bind-mount' && step.idmap !== undefined ? [describeIdmap(step.idmap)] : []),
  ]
  return words.length === 0 ? '' : ` (${words.join(',')})`
}

function describeIdmap({ recursive, mappings }: MountIdmap): string {
  const word = recursive ? 'ridmap' : 'idmap'
  if (mappings === undefined) return word
  return `${word}=uids ${ranges(mappings.uidMappings)};gids ${ranges(mappings.gidMappings)}`
}

/** `0-100000-65536 70000-1000-1`: container, host, size. */
function ranges(mappings: readonly IdRange[]): string {
  return mappings.map((range) => `${range.containerID}-${range.hostID}-${range.size}`).join(' ')
}

function by(opener: 'runtime' | undefined): string {
  return opener === 'runtime' ? ', opened by the runtime' : ''
}

function describeAttributes({ set, clear }: AttributeChange, prefix: string): string[] {
  return [...set.map((name) => prefix + name), ...clear.map((name) => `${prefix}!${name}`)]
}

function list(title: string, words: readonly (string | number)[]): string {
  if (words.length === 0) return ''
  return `${title} ${words.map((word) => (typeof word === 'string' ? quote(word) : word)).join(' ')}`
}

function describeProperties(properties: readonly UnitProperty[]): string {
  const words = properties.map(({ name, value }) => `${name}=${describeValue(value)}`)
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}

function describeValue(value: BusValue): string {
  if (typeof value !== 'object') return value === INFINITY ? 'infinity' : quote(String(value))
  if ('signature' in value) return describeValue(value.value)
  return `[${value.map(describeValue).join(' ')}]`
}

/** Only where a reader could not tell where the word ends. */
function quote(word: string): string {
  return /^[^\s"'\\\p{C}]+$/u.test(word) ? word : JSON.stringify(word)
}

function otherwise(cgroup: string | undefined): string {
  return cgroup === undefined ? '' : `, or ${cgroup} where that takes no process`
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function hex(set: bigint): string {
  return `0x${set.toString(16)}`
}

/** What a policy does not use is 0, and is not told. */
function describeNumbers({
  nice,
  priority,
  runtime,
  deadline,
  period,
}: Pick<
  Extract<Step, { kind: 'set-scheduler' }>,
  'nice' | 'priority' | 'runtime' | 'deadline' | 'period'
>): string {
  const numbers = Object.entries({ nice, priority, runtime, deadline, period })
  return numbers.map(([name, value]) => (BigInt(value) === 0n ? '' : `, ${name} ${value}`)).join('')
}

const INFINITY = 2n ** 64n - 1n

function limit(value: bigint): string {
  return value === INFINITY ? 'unlimited' : `${value}`
}
