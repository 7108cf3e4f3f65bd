import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { describeContainers, probe, runContainer } from './rig.ts'

const ip = (...words: string[]) => {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' })
  return { status, stderr }
}

/** Two ends of a veth pair on the host, gone when the test ends. */
function makePair(): { device: string; peer: string } | undefined {
  const device = `tf${process.pid % 1_000_000}a`
  const peer = `tf${process.pid % 1_000_000}b`
  if (ip('link', 'add', device, 'type', 'veth', 'peer', 'name', peer).status !== 0) return undefined
  onTestFinished(() => void ip('link', 'del', peer))
  return { device, peer }
}

describeContainers('linux.netDevices', (runtime) => {
  if (runtime.name !== 'tsrunc') {
    it.skip('skipped: the runc and crun of Debian 12 do not know the field', () => {})
    return
  }

  it('a device moves in with its global addresses, gets its name and is up', ({ skip }) => {
    const pair = makePair()
    if (pair === undefined) return skip('ip(8) or veth is missing')
    const { device } = pair
    expect(
      ip('addr', 'add', '192.0.2.7/24', 'broadcast', '192.0.2.255', 'dev', device).status,
    ).toBe(0)
    ip('-6', 'addr', 'add', '2001:db8::7/64', 'dev', device, 'nodad')
    const [flags, tree, six] = probe(
      runtime,
      [
        ['read', '/sys/class/net/blue0/flags'],
        ['read', '/proc/net/fib_trie'],
        ['read', '/proc/net/if_inet6'],
      ],
      (config) => {
        config.linux.netDevices = { [device]: { name: 'blue0' } }
      },
    )
    expect(Number(flags) & 1).toBe(1)
    expect(tree).toContain('192.0.2.7')
    if (existsSync('/proc/net/if_inet6')) expect(six).toMatch(/^20010db8.*07 .*blue0$/m)
  })

  it('keeps its name without another one', ({ skip }) => {
    const pair = makePair()
    if (pair === undefined) return skip('ip(8) or veth is missing')
    const [names] = probe(runtime, [['list', '/sys/class/net']], (config) => {
      config.linux.netDevices = { [pair.device]: {} }
    })
    expect((names as string[]).toSorted()).toEqual(['lo', pair.device])
  })

  it('one that is not there is an error that names it', () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config) => {
      config.linux.netDevices = { tfnone: {} }
    })
    expect(status).toBe(1)
    expect(stderr).toContain('/linux/netDevices/tfnone: RTM_GETLINK(tfnone): ENODEV')
  })

  it('is refused where the network namespace is the host’s', () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network')
      config.mounts = config.mounts.filter(({ type }) => type !== 'sysfs')
      config.linux.netDevices = { tfnone: {} }
    })
    expect(status).toBe(1)
    expect(stderr).toContain('/linux/netDevices: expected a network namespace')
  })
})
