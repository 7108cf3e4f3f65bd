import { expect, it } from 'vitest'
import { describeContainers, probe } from './rig.ts'

describeContainers('linux.timeOffsets', (runtime) => {
  // runc 1.1 and crun 1.8 do not know the member.
  it.runIf(runtime.name === 'tsrunc')('clocks of a new time namespace are ahead', () => {
    const [uptime, offsets] = probe(
      runtime,
      [
        ['read', '/proc/uptime'],
        ['read', '/proc/self/timens_offsets'],
      ],
      (config) => {
        config.linux.namespaces.push({ type: 'time' })
        config.linux.timeOffsets = {
          boottime: { secs: 1_000_000_000n },
          monotonic: { secs: 7n, nanosecs: 5 },
        }
      },
    )
    expect(Number(String(uptime).split(' ')[0])).toBeGreaterThan(1_000_000_000)
    expect(String(offsets).replace(/ +/g, ' ')).toBe('monotonic 7 5\nboottime 1000000000 0\n')
  })
})
