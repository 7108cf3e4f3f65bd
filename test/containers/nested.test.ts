/** A container inside a container, made there by the same program. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { describeContainers, runContainer } from './rig.ts'
import { addUserNamespace, FIRST } from './user-namespace.ts'

const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'SETFCAP'],
  ...['NET_ADMIN', 'SYS_ADMIN', 'SYS_CHROOT', 'MKNOD', 'NET_BIND_SERVICE', 'AUDIT_WRITE'],
].map((name) => `CAP_${name}`)

/** Programs and libraries of the host, this project, and the node that runs it. */
function listDirectories(): string[] {
  const node = dirname(dirname(process.execPath))
  const wanted = ['/usr', '/bin', '/lib', '/lib64', '/sbin', '/etc', resolve('.'), node]
  return [...new Set(wanted)].filter((path) => path !== '/' && existsSync(path))
}

describeContainers('nested', (runtime) => {
  it.each(['its own root', 'a user namespace'])('runs as %s of the outer one', (who) => {
    const isUser = who === 'a user namespace'
    const script = [
      'set -e',
      'cd /tmp',
      `T="${resolve('bin/tsrunc')} --root /tmp/state"`,
      '$T bundle new b --from-host cat > /dev/null',
      `${process.execPath} -e '${change(isUser ? ADD_USER : [])}'`,
      ...(isUser ? ['chown -Rh 1000:1000 b/rootfs', 'chmod 755 b'] : []),
      '$T run --bundle b inner',
      // Created, started and deleted.
      '$T list --quiet',
      'echo end',
    ].join('\n')
    const result = runContainer(runtime, [['report']], (config, bundle) => {
      addUserNamespace(config, bundle)
      config.process.args = ['/bin/sh', '-c', script]
      config.process.env = ['PATH=/usr/bin:/bin:/usr/local/bin']
      const sets = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES }
      config.process.capabilities = sets
      config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
      for (const path of listDirectories()) {
        mkdirSync(join(bundle.rootfs, path), { recursive: true })
        const options = ['rbind', 'ro']
        config.mounts.push({ destination: path, type: 'none', source: path, options })
      }
      chmodSync(bundle.directory, 0o755)
    })
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const [map, end] = result.stdout.trim().split('\n')
    const words = map?.trim().split(/\s+/).map(Number)
    // As the inner one sees it: ids of the namespace around it.
    expect(words).toEqual(isUser ? [0, 1000, 100] : [0, FIRST, 65_536])
    expect(end).toBe('end')
  })
})

const ADD_USER = [
  'c.linux.namespaces.push({type: "user"})',
  'c.linux.uidMappings = c.linux.gidMappings = [{containerID: 0, hostID: 1000, size: 100}]',
]

/** A script for node. */
function change(statements: readonly string[]): string {
  return [
    'const f = "b/config.json", fs = require("fs"), c = JSON.parse(fs.readFileSync(f))',
    'c.process.args = ["cat", "/proc/self/uid_map"]',
    ...statements,
    'fs.writeFileSync(f, JSON.stringify(c))',
  ].join('; ')
}
