import { expect, it } from 'vitest'
import { describeContainers, probe, runContainer } from './rig.ts'
import { addUserNamespace } from './user-namespace.ts'

const NAME = {
  key: 'net.ipv4.ping_group_range',
  path: '/proc/sys/net/ipv4/ping_group_range',
}

describeContainers('linux.sysctl', (runtime) => {
  it('values of the own ipc and network namespaces are set', () => {
    const seen = probe(
      runtime,
      [
        ['read', '/proc/sys/kernel/msgmax'],
        ['read', '/proc/sys/net/ipv4/ip_forward'],
      ],
      (config) => {
        config.linux.sysctl = { 'kernel.msgmax': '8191', 'net.ipv4.ip_forward': '1' }
      },
    )
    expect(seen).toEqual(['8191\n', '1\n'])
  })

  // As podman does it for an ordinary user with --pid host: the kernel mounts no procfs there.
  it('one of the own network namespace, in a user namespace with the pids of the host', () => {
    const [seen] = probe(runtime, [['read', NAME.path]], (config, bundle) => {
      addUserNamespace(config, bundle)
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
      config.mounts = config.mounts.map((mount) =>
        mount.destination === '/proc'
          ? { destination: '/proc', source: '/proc', options: ['rbind'] }
          : mount,
      )
      config.linux.sysctl = { [NAME.key]: '0 0' }
    })
    expect(seen).toBe('0\t0\n')
  })

  it.each([
    ['kernel.panic', 'one of the whole host'],
    ['kernel.hostname', 'one that /hostname sets'],
  ])('%s is refused: %s', (name) => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.sysctl = { [name]: '1' }
    })
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(name.replace(/.*\./, ''))
  })

  it('one of a namespace that the container shares is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'ipc')
      config.linux.sysctl = { 'kernel.msgmax': '8191' }
    })
    expect(result.status).toBe(1)
  })
})
