/** Containers of a user without privileges, who is one of this host's that own nothing. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Config } from './config.ts'
import {
  type Bundle,
  createBundle,
  describeContainers,
  parseValues,
  probeArguments,
  type Result,
  type Runtime,
} from './rig.ts'

const NAME = 'daemon'
const UID = idOf('/etc/passwd')
const GID = idOf('/etc/group')
/** Ids that nobody has here. */
const FIRST = 210_000_000

function idOf(file: string): number {
  const line = new RegExp(`^${NAME}:[^:]*:(\\d+):`, 'm').exec(readFileSync(file, 'utf8'))
  return Number(line?.[1])
}

const why = whyNot()

function whyNot(): string | undefined {
  if (Number.isNaN(UID) || Number.isNaN(GID)) return `no user ${NAME} on this host`
  const words = ['--reuid', `${UID}`, '--regid', `${GID}`, '--clear-groups']
  const { status } = spawnSync('setpriv', [...words, 'unshare', '-U', process.execPath, '-e', '0'])
  return status === 0 ? undefined : 'a user may not make user namespaces here, or not run node'
}

function own(path: string): void {
  chownSync(path, UID, GID)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) own(join(path, entry.name))
    else chownSync(join(path, entry.name), UID, GID)
  }
}

/** What `spec --rootless` writes, but for a terminal, with the probe in it. */
function makeRootless(config: Config, { directory }: Bundle): void {
  chmodSync(dirname(directory), 0o711)
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network')
  config.linux.namespaces.push({ type: 'user' })
  config.linux.uidMappings = [{ containerID: 0, hostID: UID, size: 1 }]
  config.linux.gidMappings = [{ containerID: 0, hostID: GID, size: 1 }]
  delete config.linux.cgroupsPath
  config.mounts = config.mounts.map((mount) =>
    mount.destination === '/sys'
      ? { ...mount, type: 'none', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'ro'] }
      : { ...mount, options: (mount.options ?? []).filter((option) => !option.includes('gid=')) },
  )
}

type Change = (config: Config, bundle: Bundle) => void

interface Home {
  readonly bundle: Bundle
  /** XDG_RUNTIME_DIR. */
  readonly runtimeDirectory: string
}

function makeHome(operations: readonly (readonly string[])[], change: Change = () => {}): Home {
  const bundle = createBundle((config, made) => {
    config.process.args = probeArguments(operations)
    makeRootless(config, made)
    change(config, made)
  })
  const runtimeDirectory = join(bundle.directory, 'run')
  mkdirSync(runtimeDirectory)
  own(bundle.directory)
  return { bundle, runtimeDirectory }
}

/** The user's call of the runtime, after commands of root in a mount namespace of their own. */
function call(runtime: Runtime, home: Home, args: readonly string[], before = ''): Result {
  const output = join(home.bundle.directory, 'output')
  const words = [`--reuid ${UID} --regid ${GID} --clear-groups`, runtime.path, ...args]
  const env = `env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR=${home.runtimeDirectory}`
  const script = `${before}\nexec ${env} setpriv ${words.join(' ')} > ${output} 2> ${output}.error`
  writeFileSync(output, '')
  writeFileSync(`${output}.error`, '')
  chownSync(output, UID, GID)
  const { status, signal } = spawnSync('unshare', ['-m', 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 30_000,
    cwd: home.bundle.directory,
  })
  const stdout = readFileSync(output, 'utf8')
  return { status, signal, stdout, stderr: readFileSync(`${output}.error`, 'utf8') }
}

let counter = 0

function freshId(runtime: Runtime, home: Home): string {
  const id = `tsrunc-rootless-${process.pid}-${++counter}`
  onTestFinished(() => {
    call(runtime, home, ['delete', '--force', id])
  })
  return id
}

function run(runtime: Runtime, home: Home, before = ''): Result {
  const { directory } = home.bundle
  return call(runtime, home, ['run', '--bundle', directory, freshId(runtime, home)], before)
}

interface Report {
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly cgroup: string
}

describe.skipIf(why !== undefined)(`of a user${why ? ` (skipped: ${why})` : ''}`, () => {
  describeContainers('rootless', (runtime) => {
    it('a container of one id: its root is the user', () => {
      const operations = [['report'], ['create', '/tmp/made', 'x'], ['write', '/dev/null', 'x']]
      const home = makeHome(operations)
      const result = run(runtime, home)
      expect(result.stderr).toBe('')
      const [report, made, written] = parseValues(result.stdout)
      expect(report).toMatchObject({ uids: [0, 0, 0], gids: [0, 0, 0] })
      expect([made, written]).toEqual(['ok', 'ok'])
      expect(statSync(join(home.bundle.rootfs, 'tmp/made'))).toMatchObject({ uid: UID, gid: GID })
    })

    it('is created, shown, started and deleted; meanwhile not even its user traces it', () => {
      const home = makeHome([['sleep', '60']])
      const id = freshId(runtime, home)
      const { directory } = home.bundle
      const pidFile = join(directory, 'pid')
      const created = call(runtime, home, [
        ...['create', '--bundle', directory, '--pid-file', pidFile, id],
      ])
      expect(created.stderr).toBe('')
      // procfs gives the files of a process that is not dumpable to root. runc's init is dumpable.
      if (runtime.name === 'tsrunc') {
        expect(statSync(`/proc/${readFileSync(pidFile, 'utf8')}/mem`).uid).toBe(0)
      }
      expect(JSON.parse(call(runtime, home, ['state', id]).stdout)).toMatchObject({
        status: 'created',
      })
      expect(call(runtime, home, ['start', id]).status).toBe(0)
      expect(call(runtime, home, ['kill', id, 'KILL']).status).toBe(0)
      expect(call(runtime, home, ['delete', '--force', id]).status).toBe(0)
      const root = join(home.runtimeDirectory, runtime.name)
      expect(readdirSync(root).filter((name) => name === id)).toEqual([])
      // The sticky bit keeps cleaners of temporary files away (XDG Base Directory).
      expect(statSync(root).mode & 0o7777).toBe(0o1700)
    })

    const hasHelpers = existsSync('/usr/bin/newuidmap') && existsSync('/usr/bin/newgidmap')
    const ranges = hasHelpers ? '' : ' (skipped: no newuidmap: install uidmap)'

    it.skipIf(!hasHelpers)(`more ids are those of /etc/subuid and /etc/subgid${ranges}`, () => {
      const home = makeHome([['report']], (config) => {
        mapRange(config)
        // "cannot set any additional groups in a rootless container"
        if (runtime.name === 'runc') delete config.process.user.additionalGids
      })
      const result = run(runtime, home, grant(home, 65_536))
      expect(result.stderr).toBe('')
      const [report] = parseValues(result.stdout)
      const { uids, gids, groups } = report as Report
      expect({ uids, gids }).toEqual({ uids: [5, 5, 5], gids: [6, 6, 6] })
      // runc adds the primary group.
      expect(groups.filter((group) => group !== 6)).toEqual(runtime.name === 'runc' ? [] : [7])
    })

    it.skipIf(!hasHelpers)(`beyond them it is refused${ranges}`, () => {
      const result = run(runtime, makeHome([['report']], mapRange))
      expect(result.status).toBe(1)
      if (runtime.name === 'tsrunc') {
        expect(result.stderr).toMatch(/\/linux\/uidMappings: \S*newuidmap .*not allowed.*subuid/)
      }
    })

    it('a config without a user namespace is refused', () => {
      const home = makeHome([['report']], (config) => {
        const { namespaces } = config.linux
        config.linux.namespaces = namespaces.filter(({ type }) => type !== 'user')
        delete config.linux.uidMappings
        delete config.linux.gidMappings
      })
      const result = run(runtime, home)
      expect(result.status).toBe(1)
      if (runtime.name === 'tsrunc') expect(result.stderr).toContain('an entry of type user')
    })

    it('a limit without a cgroup to have it in is refused', () => {
      const home = makeHome([['report']], (config) => {
        config.linux.resources.pids = { limit: 10n }
      })
      const result = run(runtime, home)
      expect(result.status).toBe(1)
      if (runtime.name === 'tsrunc') {
        expect(result.stderr).toContain('/linux/resources/pids: the caller may make no cgroup')
      }
    })

    const pids = '/sys/fs/cgroup/pids'
    const isV1 = existsSync(join(pids, 'cgroup.procs'))
    const delegate = () => {
      const path = `/tsrunc-rootless-${process.pid}-${runtime.name}`
      mkdirSync(pids + path)
      chownSync(pids + path, UID, GID)
      onTestFinished(() => rmdirSync(pids + path))
      return path
    }

    it.skipIf(!isV1)(`limits hold in a cgroup that was delegated${isV1 ? '' : ' (v1)'}`, () => {
      const path = delegate()
      const home = makeHome([['report'], ['fork', '20']], (config) => {
        config.linux.cgroupsPath = `${path}/c`
        config.linux.resources.pids = { limit: 5n }
      })
      const result = run(runtime, home)
      // runc wants the path in every hierarchy.
      if (runtime.name === 'runc') return
      expect(result.stderr).toBe('')
      const [report, forked] = parseValues(result.stdout)
      expect((report as Report).cgroup).toContain(`:pids:${path}/c\n`)
      expect((report as Report).cgroup).not.toContain(`:memory:${path}`)
      expect(forked).toBe(4)
      expect(readdirSync(pids + path).filter((name) => name === 'c')).toEqual([])
    })

    // runc wants the path in every hierarchy.
    it.skipIf(!isV1 || runtime.name === 'runc')('and change there, where the container is', () => {
      const path = delegate()
      const home = makeHome([['sleep', '60']], (config) => {
        config.linux.cgroupsPath = `${path}/c`
      })
      const id = freshId(runtime, home)
      const { directory } = home.bundle
      expect(call(runtime, home, ['create', '--bundle', directory, id]).stderr).toBe('')
      expect(call(runtime, home, ['update', '--pids-limit', '7', id]).stderr).toBe('')
      expect(readFileSync(join(pids, path, 'c/pids.max'), 'latin1')).toBe('7\n')
      expect(call(runtime, home, ['delete', '--force', id]).stderr).toBe('')
    })
  })
})

function mapRange(config: Config): void {
  const ranges = (id: number) => [
    { containerID: 0, hostID: id, size: 1 },
    { containerID: 1, hostID: FIRST, size: 65_535 },
  ]
  config.linux.uidMappings = ranges(UID)
  config.linux.gidMappings = ranges(GID)
  config.process.user = { uid: 5, gid: 6, additionalGids: [7] }
}

/** In the mount namespace of one call: the files of the host stay as they are. */
function grant({ bundle }: Home, size: number): string {
  const file = join(bundle.directory, 'subids')
  writeFileSync(file, `${NAME}:${FIRST}:${size}\n`)
  onTestFinished(() => rmSync(file, { force: true }))
  const targets = ['/etc/subuid', '/etc/subgid']
  return targets.map((target) => `mount --bind ${file} ${target} || exit 99`).join('\n')
}
