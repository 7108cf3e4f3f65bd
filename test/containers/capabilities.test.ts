import { expect, it } from 'vitest'
import { describeContainers, probe } from './rig.ts'

const KILL = 1n << 5n
const NET_BIND_SERVICE = 1n << 10n
const SYS_CHROOT = 1n << 18n

interface Sets {
  readonly capabilities: Readonly<Record<string, string>>
}

describeContainers('process.capabilities', (runtime) => {
  const sets = (patch: Parameters<typeof probe>[2]) => {
    const [report] = probe(runtime, [['report']], patch)
    return Object.fromEntries(
      Object.entries((report as Sets).capabilities).map(([name, mask]) => [
        name,
        BigInt(`0x${mask}`),
      ]),
    )
  }

  it('each of the five sets holds what its list says', () => {
    const seen = sets((config) => {
      config.process.capabilities = {
        bounding: ['CAP_KILL', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT'],
        permitted: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
        effective: ['CAP_KILL'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      }
      config.process.user = { uid: 1000, gid: 1000 }
    })
    expect(seen.bounding).toBe(KILL | NET_BIND_SERVICE | SYS_CHROOT)
    // execve of a user who is not root keeps the ambient set, and what it implies.
    expect(seen.ambient).toBe(KILL)
    expect(seen.inheritable).toBe(KILL)
    expect(seen.permitted).toBe(KILL)
    expect(seen.effective).toBe(KILL)
  })

  it('root gets the bounding set at execve', () => {
    const seen = sets((config) => {
      config.process.capabilities = {
        bounding: ['CAP_KILL', 'CAP_SYS_CHROOT'],
        permitted: ['CAP_KILL', 'CAP_SYS_CHROOT'],
        effective: ['CAP_KILL', 'CAP_SYS_CHROOT'],
      }
    })
    expect(seen).toMatchObject({
      bounding: KILL | SYS_CHROOT,
      permitted: KILL | SYS_CHROOT,
      effective: KILL | SYS_CHROOT,
      inheritable: 0n,
      ambient: 0n,
    })
  })

  it('empty lists leave nothing', () => {
    const seen = sets((config) => {
      config.process.capabilities = {}
    })
    expect(seen).toEqual({
      bounding: 0n,
      permitted: 0n,
      effective: 0n,
      inheritable: 0n,
      ambient: 0n,
    })
  })

  it('a capability that nobody knows is a warning and no failure', () => {
    const seen = sets((config) => {
      config.process.capabilities = { bounding: ['CAP_KILL', 'CAP_OF_NOBODY'] }
    })
    expect(seen.bounding).toBe(KILL)
  })
})
