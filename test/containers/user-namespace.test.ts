import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import {
  createContainer,
  describeContainers,
  invoke,
  probe,
  runContainer,
  waitUntil,
} from './rig.ts'
import { addUserNamespace, FIRST } from './user-namespace.ts'

interface Report {
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly namespaces: Readonly<Record<string, string>>
  readonly capabilities: Readonly<Record<string, string>>
}

interface Stat {
  readonly type: string
  readonly uid: number
  readonly gid: number
  readonly major: number
  readonly minor: number
}

describeContainers('user namespaces', (runtime) => {
  it('the process is who it shall be, and the host knows it by the mapped id', () => {
    const { pid, id } = createContainer(runtime, [['report']], (config, bundle) => {
      addUserNamespace(config, bundle)
      config.process.user = { uid: 7, gid: 8, additionalGids: [9] }
    })
    expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'))
    expect(invoke(runtime, ['delete', '--force', id]).status).toBe(0)
    const [report] = probe(runtime, [['report']], (config, bundle) => {
      addUserNamespace(config, bundle)
      config.process.user = { uid: 7, gid: 8, additionalGids: [9] }
    })
    const { uids, gids, groups } = report as Report
    expect({ uids, gids }).toEqual({ uids: [7, 7, 7], gids: [8, 8, 8] })
    // runc adds the primary group.
    expect(groups.filter((group) => group !== 8)).toEqual([9])
  })

  it('its root has the capabilities of the config, also those that the caller lacks', () => {
    const [report] = probe(runtime, [['report']], (config, bundle) => {
      addUserNamespace(config, bundle)
      const caps = ['CAP_SYS_RESOURCE', 'CAP_SYS_ADMIN']
      config.process.capabilities = { bounding: caps, effective: caps, permitted: caps }
    })
    const wanted = ((1n << 24n) | (1n << 21n)).toString(16)
    const { effective, permitted, bounding } = (report as Report).capabilities
    expect({ effective, permitted, bounding }).toEqual({
      effective: wanted,
      permitted: wanted,
      bounding: wanted,
    })
  })

  it('files that it makes belong to its root, on the host too', () => {
    let rootfs = ''
    const [made, shown] = probe(
      runtime,
      [
        ['create', '/tmp/made', 'x'],
        ['stat', '/tmp/made'],
      ],
      (config, bundle) => {
        addUserNamespace(config, bundle)
        rootfs = bundle.rootfs
      },
    )
    expect(made).toBe('ok')
    expect(shown).toMatchObject({ uid: 0, gid: 0 })
    const { uid, gid } = statSync(join(rootfs, 'tmp/made'))
    expect({ uid, gid }).toEqual({ uid: FIRST, gid: FIRST })
  })

  it('what is mounted is its own, devices are the host’s', () => {
    const [shm, pts, nothing, written, sys] = probe(
      runtime,
      [
        ['stat', '/dev'],
        ['stat', '/dev/pts'],
        ['stat', '/dev/null'],
        ['write', '/dev/null', 'x'],
        ['stat', '/sys/class'],
      ],
      addUserNamespace,
    )
    expect(shm).toMatchObject({ uid: 0, gid: 0 })
    expect(pts).toMatchObject({ uid: 0, gid: 0 })
    expect(nothing as Stat).toMatchObject({ type: 'char', major: 1, minor: 3, uid: 65534 })
    expect(written).toBe('ok')
    expect(sys).toMatchObject({ magic: '62656572' })
  })

  it('a source is bound that only root of the host can reach', () => {
    const [content] = probe(runtime, [['read', '/data/file']], (config, bundle) => {
      addUserNamespace(config, bundle)
      const secret = join(bundle.directory, 'secret')
      mkdirSync(join(secret, 'data'), { recursive: true })
      writeFileSync(join(secret, 'data/file'), 'shown')
      chmodSync(secret, 0o700)
      const source = join(secret, 'data')
      config.mounts.push({ destination: '/data', type: 'none', source, options: ['bind', 'ro'] })
      mkdirSync(join(bundle.rootfs, 'data'))
    })
    expect(content).toBe('shown')
  })

  it('with the network of the host, its /sys is shown read-only', () => {
    // runc mounts what the config says, and the kernel does not let it.
    if (runtime.name === 'runc') return
    const [sys, written] = probe(
      runtime,
      [
        ['stat', '/sys/class/net'],
        ['create', '/sys/fs/cgroup/made', 'x'],
      ],
      (config, bundle) => {
        addUserNamespace(config, bundle)
        const { namespaces } = config.linux
        config.linux.namespaces = namespaces.filter(({ type }) => type !== 'network')
      },
    )
    expect(sys).toMatchObject({ magic: '62656572' })
    expect(written).toBe('EROFS')
  })

  it('ids without a mapping are refused before anything is made', () => {
    const result = runContainer(runtime, [['report']], (config, bundle) => {
      addUserNamespace(config, bundle)
      config.process.user.uid = 70_000
    })
    expect(result.status).toBe(1)
    if (runtime.name === 'tsrunc') expect(result.stderr).toContain('/process/user/uid')
  })

  it('is joined by path, with a network namespace that it owns', async () => {
    const holder = spawn('unshare', ['--user', '--net', 'sleep', '60'], { stdio: 'ignore' })
    onTestFinished(() => void holder.kill('SIGKILL'))
    const at = (name: string) => `/proc/${holder.pid}/ns/${name}`
    const own = readlinkSync('/proc/self/ns/net')
    await waitUntil('unshare', () => ![own, ''].includes(namespaceAt(at('net'))))
    for (const file of ['uid_map', 'gid_map']) {
      writeFileSync(`/proc/${holder.pid}/${file}`, `0 ${FIRST} 65536`)
    }
    const [report, sys] = probe(runtime, [['report'], ['stat', '/sys/class']], (config, bundle) => {
      addUserNamespace(config, bundle)
      const { namespaces } = config.linux
      const joined = ['user', 'network'] as const
      config.linux.namespaces = namespaces.filter(({ type }) => !joined.some((one) => one === type))
      config.linux.namespaces.push({ type: 'user', path: at('user') })
      config.linux.namespaces.push({ type: 'network', path: at('net') })
    })
    const { uids, namespaces } = report as Report
    expect(uids).toEqual([0, 0, 0])
    expect(namespaces.user).toBe(readlinkSync(at('user')))
    expect(namespaces.net).toBe(readlinkSync(at('net')))
    expect(sys).toMatchObject({ magic: '62656572' })
  })
})

/** '' where there is no such namespace yet. */
function namespaceAt(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
