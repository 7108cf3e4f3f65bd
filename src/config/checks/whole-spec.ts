/** Rules for what is common to all platforms, process aside. */
import type { Issue, Pointer } from '../../errors.ts'
import { quote } from '../complaints.ts'
import { joinPointer } from '../pointer.ts'
import type { Hooks, Spec } from '../spec.ts'
import { type Check, hasNamespace } from './check.ts'

const SEMVER =
  /^(0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/

function checkOciVersion({ ociVersion }: Spec): Issue[] {
  if (SEMVER.exec(ociVersion)?.[1] === '1') return []
  return [
    { pointer: '/ociVersion', expected: 'a version 1.x.y of the spec', found: quote(ociVersion) },
  ]
}

function checkSections({ linux, root, process }: Spec): Issue[] {
  const missing = Object.entries({ linux, root, process }).filter(
    ([, value]) => value === undefined,
  )
  return missing.map(([name]) => ({
    pointer: `/${name}`,
    expected: 'a value (a Linux container needs it)',
    found: 'nothing',
  }))
}

function checkRootPath({ root }: Spec): Issue[] {
  return root?.path === ''
    ? [{ pointer: '/root/path', expected: 'the path of a directory', found: '""' }]
    : []
}

/** sethostname(2) and setdomainname(2) take 64 bytes. */
const MAX_NAME_BYTES = 64

function checkNames(spec: Spec): Issue[] {
  const issues: Issue[] = []
  for (const member of ['hostname', 'domainname'] as const) {
    const name = spec[member]
    if (name === undefined || name === '') continue
    const pointer = `/${member}`
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      issues.push({ pointer, expected: `at most ${MAX_NAME_BYTES} bytes`, found: quote(name) })
    } else if (!hasNamespace(spec, 'uts')) {
      const expected = 'a uts namespace in /linux/namespaces, or no name'
      issues.push({ pointer, expected, found: quote(name) })
    }
  }
  return issues
}

function checkMounts({ mounts }: Spec): Issue[] {
  return (mounts ?? []).flatMap((mount, index) => {
    const pointer = `/mounts/${index}`
    const issues: Issue[] = []
    if (mount.destination === '') {
      issues.push({ pointer: `${pointer}/destination`, expected: 'an absolute path', found: '""' })
    }
    const isBind = mount.options?.some((option) => option === 'bind' || option === 'rbind') ?? false
    // A remount is about what its destination shows already.
    const hasSource = mount.options?.includes('remount') || (mount.source ?? '') !== ''
    if (isBind && !hasSource) {
      issues.push({ pointer: `${pointer}/source`, expected: 'a path to bind', found: 'nothing' })
    }
    const { uidMappings, gidMappings } = mount
    if ((uidMappings === undefined) !== (gidMappings === undefined)) {
      const expected = 'uidMappings and gidMappings, or neither'
      issues.push({ pointer, expected, found: 'one of them' })
    } else if (uidMappings !== undefined && !isBind) {
      issues.push({ pointer, expected: 'id mappings on bind mounts only', found: 'another mount' })
    }
    return issues
  })
}

function checkHooks({ hooks }: Spec): Issue[] {
  const names = Object.keys(hooks ?? {}) as (keyof Hooks)[]
  return names.flatMap((name) => {
    const list = hooks?.[name]
    if (!HOOKS.includes(name) || list === undefined) return []
    return list.flatMap(({ path }, index) =>
      path.startsWith('/')
        ? []
        : [
            {
              pointer: `/hooks/${name}/${index}/path`,
              expected: 'an absolute path',
              found: quote(path),
            },
          ],
    )
  })
}

const HOOKS: readonly (keyof Hooks)[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]

function checkAnnotations({ annotations }: Spec): Issue[] {
  return annotations !== undefined && Object.hasOwn(annotations, '')
    ? [{ pointer: '/annotations/', expected: 'keys that are not empty', found: '""' }]
    : []
}

/** The kernel takes every string up to its first NUL: a path would not be the one configured. */
function checkNulBytes({
  root,
  process,
  hostname,
  domainname,
  mounts,
  hooks,
  linux,
}: Spec): Issue[] {
  const issues: Issue[] = []
  const sections = { root, process, hostname, domainname, mounts, hooks, linux }
  if (holdsNul(sections)) findNuls(sections, '', issues)
  return issues
}

/** Everything is looked at here, so no pointers are made before there is a need. */
function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0')
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(holdsNul)
  for (const name in value) {
    if (name.includes('\0') || holdsNul((value as Record<string, unknown>)[name])) return true
  }
  return false
}

function findNuls(value: unknown, pointer: Pointer, issues: Issue[]): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) {
      issues.push({ pointer, expected: 'text without NUL bytes', found: quote(value) })
    }
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      findNuls(value[index], joinPointer(pointer, index), issues)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (name.includes('\0')) findNuls(name, joinPointer(pointer, name), issues)
      else findNuls(member, joinPointer(pointer, name), issues)
    }
  }
}

/** Of whatever is there: also of a file that has one member of config.json alone. */
export const nulCheck: Check = { name: 'NUL bytes', reads: [], run: checkNulBytes }

export const commonChecks: readonly Check[] = [
  { name: 'ociVersion', reads: ['/ociVersion'], run: checkOciVersion },
  { name: 'sections', reads: [], run: checkSections },
  { name: 'root path', reads: ['/root'], run: checkRootPath },
  {
    name: 'host names',
    reads: ['/hostname', '/domainname', '/linux/namespaces'],
    run: checkNames,
  },
  { name: 'mounts', reads: ['/mounts'], run: checkMounts },
  { name: 'hook paths', reads: ['/hooks'], run: checkHooks },
  { name: 'annotation keys', reads: ['/annotations'], run: checkAnnotations },
  nulCheck,
]
