import { chmodSync, chownSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { exec, execReport, type Report, startContainer } from './exec-rig.ts'
import { describeContainers, invoke, type Patch, parseValues } from './rig.ts'

/** Beyond all ids that are somebody's here. */
const FIRST = 200_000_000

const inUserNamespace: Patch = (config, { directory, rootfs }) => {
  const map = [{ containerID: 0, hostID: FIRST, size: 65_536 }]
  config.linux.namespaces.push({ type: 'user' })
  config.linux.uidMappings = map
  config.linux.gidMappings = map
  writeFileSync(join(rootfs, 'etc/passwd'), 'a:x:0:0::/zero:\nb:x:1000:7::/home/b:\n')
  chmodSync(dirname(directory), 0o711)
  for (const name of ['', 'proc', 'sys', 'dev']) chownSync(join(rootfs, name), FIRST, FIRST)
}

describeContainers('exec in a user namespace', (runtime) => {
  it('is the root of the namespace, with the capabilities of the config in it', () => {
    const { id, pid } = startContainer(runtime, inUserNamespace)
    const result = exec(runtime, id, [['report'], ['create', '/made', 'x'], ['stat', '/made']])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [report, made, stat] = parseValues(result.stdout) as [Report, unknown, unknown]
    expect(report.namespaces.user).toBe(readlinkSync(`/proc/${pid}/ns/user`))
    expect(report).toMatchObject({ uids: [0, 0, 0], gids: [0, 0, 0], groups: [], ppid: 0 })
    expect(report.capabilities).toMatchObject({
      bounding: '20000420',
      effective: '20000420',
      inheritable: '0',
      ambient: '0',
    })
    expect(report.env).toContain('HOME=/zero')
    expect(made).toBe('ok')
    expect(stat).toMatchObject({ uid: 0, gid: 0 })
  })

  it('another user, with groups', () => {
    const { id } = startContainer(runtime, inUserNamespace)
    const report = execReport(runtime, id, { flags: ['--user', '1000:7', '-g', '9'] })
    expect(report).toMatchObject({ uids: [1000, 1000, 1000], gids: [7, 7, 7], groups: [9] })
    expect(report.env).toContain('HOME=/home/b')
  })

  it('an id that is not mapped is refused', () => {
    const { id } = startContainer(runtime, inUserNamespace)
    const { status, stderr } = invoke(runtime, ['exec', '--user', '70000', id, '/probe'])
    expect(status).toBe(255)
    if (runtime.name === 'tsrunc') {
      expect(stderr).toMatch(/\/process\/user\/uid: expected an id that \/linux\/uidMappings maps/)
    }
  })
})
