/**
 * `src/fields/README.md` lists each field of config.json with its file and its tests. It is made of
 * the tables of fields and of `TESTS` here, which must name a test for each:
 * `UPDATE_GOLDEN=1 npx vitest run test/fields/readme` writes it anew.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Field, Fields } from '../../src/fields/field.ts'
import { spec } from '../../src/fields/spec.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const README = join(ROOT, 'src/fields/README.md')

const CONTAINERS = 'test/containers/'
const UNITS = 'test/fields/'

/**
 * The test of each field's steps and that of its effect, below those two folders; or, for the
 * latter, why no container on a development host can show it.
 */
const TESTS: Readonly<Record<string, readonly [steps: string, effect: string]>> = {
  '/hooks/createContainer': ['hooks', 'hooks'],
  '/hooks/createRuntime': ['hooks', 'hooks'],
  '/hooks/poststart': ['hooks', 'hooks'],
  '/hooks/poststop': ['hooks', 'hooks'],
  '/hooks/prestart': ['hooks', 'hooks'],
  '/hooks/startContainer': ['hooks', 'hooks'],
  '/linux/cgroupsPath': ['linux/cgroups-path', 'systemd'],
  '/linux/devices': ['linux/devices', 'devices'],
  '/linux/intelRdt': [
    'linux/intel-rdt',
    'golden plan resctrl; untested on hardware: there is none here',
  ],
  '/linux/maskedPaths': ['linux/masks', 'paths'],
  '/linux/memoryPolicy': ['process/attributes', 'attributes'],
  '/linux/mountLabel': ['linux/mount-label', 'selinux'],
  '/linux/namespaces': ['linux/namespaces', 'namespaces'],
  '/linux/netDevices': ['linux/net-devices', 'net-devices'],
  '/linux/personality': ['process/attributes', 'attributes'],
  '/linux/readonlyPaths': ['linux/masks', 'paths'],
  '/linux/resources/blockIO': ['linux/resources/limits', 'unified'],
  '/linux/resources/cpu': ['linux/resources/limits', 'resources'],
  '/linux/resources/devices': ['linux/resources/devices', 'devices'],
  '/linux/resources/hugepageLimits': ['linux/resources/limits', 'unified'],
  '/linux/resources/memory': ['linux/resources/limits', 'resources'],
  '/linux/resources/network': ['linux/resources/limits', 'network-classes'],
  '/linux/resources/pids': ['linux/resources/limits', 'resources'],
  '/linux/resources/rdma': ['linux/resources/limits', 'unified'],
  '/linux/resources/unified': ['linux/resources/limits', 'unified'],
  '/linux/rootfsPropagation': ['linux/rootfs-propagation', 'mounts'],
  '/linux/seccomp': ['linux/seccomp', 'seccomp'],
  '/linux/sysctl': ['linux/sysctl', 'sysctl'],
  '/linux/timeOffsets': ['linux/user-namespace', 'time-offsets'],
  '/linux/uidMappings': ['linux/user-namespace', 'exec-user-namespace'],
  '/process/apparmorProfile': ['process/attributes', 'apparmor'],
  '/process/args': ['process/args', 'identity'],
  '/process/capabilities': ['process/capabilities', 'capabilities'],
  '/process/cwd': ['process/cwd', 'identity'],
  '/process/env': ['process/env', 'identity'],
  '/process/execCPUAffinity': ['process/exec-cpu-affinity', 'exec'],
  '/process/ioPriority': ['process/attributes', 'attributes'],
  '/process/noNewPrivileges': ['process/switches', 'seccomp'],
  '/process/oomScoreAdj': ['process/switches', 'identity'],
  '/process/rlimits': ['process/rlimits', 'rlimits'],
  '/process/scheduler': ['process/attributes', 'attributes'],
  '/process/selinuxLabel': ['process/attributes', 'selinux'],
  '/process/terminal': ['process/terminal', 'user-example'],
  '/process/user': ['process/user', 'identity'],
  '/root/path': ['root', 'bad-bundles'],
  '/root/readonly': ['root', 'mounts'],
  '/domainname': ['hostname', 'identity'],
  '/hostname': ['hostname', 'identity'],
  '/mounts': ['mounts', 'mounts'],
}

/** Where the file is not named after the field. */
const FILES: Readonly<Record<string, string>> = {
  '/linux/uidMappings': 'linux/user-namespace.ts',
}

interface Row {
  readonly pointer: string
  readonly what: string
  readonly tests: string
}

function listRows<T>(table: Fields<T>, at: string): Row[] {
  return Object.entries(table).flatMap(([name, entry]) => {
    const field = entry as Field<unknown>
    const pointer = `${at}/${name}`
    if ('fields' in field) return listRows(field.fields as Fields<object>, pointer)
    if ('ignored' in field) return [{ pointer, what: `no effect: ${field.ignored}`, tests: '' }]
    if ('readBy' in field) return [{ pointer, what: `read by ${field.readBy}`, tests: '' }]
    return [{ pointer, what: link(fileOf(pointer)), tests: describeTests(pointer) }]
  })
}

/** The path of a file mirrors that of the field; small fields stand in the file of their parent. */
function fileOf(pointer: string): string {
  const own = FILES[pointer]
  if (own !== undefined) return own
  const path = pointer.slice(1).replace(/[A-Z]+/g, (letters, index: number) => {
    const isStart = index === 0 || pointer[index] === '/'
    return `${isStart ? '' : '-'}${letters.toLowerCase()}`
  })
  for (let at = path; at !== ''; at = at.replace(/\/?[^/]*$/, '')) {
    const file =
      existing(`${at}.ts`) ?? existing(`${at.replace(/-cpuaffinity$/, '-cpu-affinity')}.ts`)
    if (file !== undefined) return file
  }
  throw new Error(`${pointer} has no file`)
}

const existing = (file: string) => (existsSync(join(ROOT, 'src/fields', file)) ? file : undefined)
const link = (file: string) => `[${file}](${file})`

const isReason = (effect: string) => effect.includes(' ')

function describeTests(pointer: string): string {
  const [steps, effect] = TESTS[pointer] ?? []
  if (steps === undefined || effect === undefined) throw new Error(`${pointer} has no tests`)
  const paths = [
    `${UNITS}${steps}.test.ts`,
    isReason(effect) ? '' : `${CONTAINERS}${effect}.test.ts`,
  ]
  const [unit = '', container = ''] = paths.map((path) =>
    path === '' ? '' : `[${path.slice('test/'.length)}](../../${path})`,
  )
  return `${unit}, ${container === '' ? effect : container}`
}

function render(rows: readonly Row[]): string {
  const heads = ['field', 'file, or why there is none', 'tests']
  const cells = rows.map(({ pointer, what, tests }) => [`\`${pointer}\``, what, tests])
  // As the formatter has it.
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = widths.map((width) => '-'.repeat(width))
  const lines = [heads, rule, ...cells].map(line)
  return `# fields: Spec → steps

What each field of config.json (runtime-spec 1.3, Linux) becomes, and what shows it. Written by
\`test/fields/readme.test.ts\`, which compares it with the code. "Adding a field" is in
[src/README.md](../README.md).

${lines.join('\n')}

Annotations that have an effect, crun's but for the last: \`run.oci.hooks.stdout\`,
\`run.oci.hooks.stderr\`, \`run.oci.keep_original_groups\`, \`run.oci.pidfd_receiver\`
([containers/annotations.test.ts](../../test/containers/annotations.test.ts)),
\`run.oci.mount_context_type\` ([mount-label.ts](linux/mount-label.ts)),
\`run.oci.seccomp.receiver\` ([seccomp.ts](linux/seccomp.ts); the caller's variable
\`RUN_OCI_SECCOMP_RECEIVER\` stands in for it) and runc's
\`org.systemd.property.*\` ([systemd](linux/systemd)).
`
}

const rows = listRows(spec, '')

test.each(Object.entries(TESTS))('the tests of %s are about it', (pointer, [steps, effect]) => {
  const name = pointer.split('/').at(-1) ?? ''
  const files = [
    `${UNITS}${steps}.test.ts`,
    ...(isReason(effect) ? [] : [`${CONTAINERS}${effect}.test.ts`]),
  ]
  for (const file of files)
    expect(readFileSync(join(ROOT, file), 'utf8'), file).toMatch(new RegExp(name))
})

test('each field that is planned has tests, and no other', () => {
  const planned = rows.filter(({ tests }) => tests !== '').map(({ pointer }) => pointer)
  expect(Object.keys(TESTS).toSorted()).toEqual(planned.toSorted())
})

test('the table is that of the code', () => {
  const text = render(rows)
  if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(README, text)
  expect(readFileSync(README, 'utf8')).toBe(text)
})
