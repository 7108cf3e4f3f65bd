import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  type Bundle,
  cgroupDirectory,
  createContainer,
  describeContainers,
  type Patch,
  probe,
  runContainer,
} from './rig.ts'

function hasV1(controller: string): boolean {
  return existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`)
}

function readLimit(controller: string, file: string, bundle: Bundle): string {
  return readFileSync(join(cgroupDirectory(controller, bundle) ?? '', file), 'utf8').trim()
}

describeContainers('linux.resources on cgroup v1', (runtime) => {
  const files = (patch: Patch, wanted: readonly (readonly [string, string])[]) => {
    const { bundle } = createContainer(runtime, [['report']], patch)
    return wanted.map(([controller, file]) => readLimit(controller, file, bundle))
  }

  it.skipIf(!hasV1('memory'))('memory: limit, reservation, swap, swappiness', () => {
    const seen = files(
      (config) => {
        const memory = { limit: 64n << 20n, reservation: 32n << 20n }
        config.linux.resources.memory = memory
      },
      [
        ['memory', 'memory.limit_in_bytes'],
        ['memory', 'memory.soft_limit_in_bytes'],
      ],
    )
    expect(seen).toEqual([String(64 << 20), String(32 << 20)])
  })

  it.skipIf(!hasV1('memory'))('a container that takes more memory than its limit is killed', () => {
    const seen = probe(
      runtime,
      [
        ['memory', '16'],
        ['memory', '128'],
      ],
      (config) => {
        config.linux.resources.memory = { limit: 64n << 20n }
      },
    )
    expect(seen).toEqual(['ok', 'killed by 9'])
  })

  // runc itself runs in the container's cgroup while it sets the container up.
  it.skipIf(!hasV1('memory') || runtime.name === 'runc')('a memory limit of 4 MB starts', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.resources.memory = { limit: 4n << 20n }
    })
    expect(report).toMatchObject({ pid: 1 })
  })

  it.skipIf(!hasV1('cpu'))('cpu: shares, quota, period', () => {
    const seen = files(
      (config) => {
        config.linux.resources.cpu = { shares: 512n, quota: 20000n, period: 100000n }
      },
      [
        ['cpu', 'cpu.shares'],
        ['cpu', 'cpu.cfs_quota_us'],
        ['cpu', 'cpu.cfs_period_us'],
      ],
    )
    expect(seen).toEqual(['512', '20000', '100000'])
  })

  it.skipIf(!hasV1('cpu'))('a fifth of a cpu is what a container with that quota gets', () => {
    const [used] = probe(runtime, [['burn', '1000']], (config) => {
      config.linux.resources.cpu = { quota: 20000n, period: 100000n }
    })
    expect(Number(used)).toBeLessThan(500)
  })

  it.skipIf(!hasV1('cpuset'))('cpuset: cpus and mems', () => {
    const seen = files(
      (config) => {
        config.linux.resources.cpu = { cpus: '0', mems: '0' }
      },
      [
        ['cpuset', 'cpuset.cpus'],
        ['cpuset', 'cpuset.mems'],
      ],
    )
    expect(seen).toEqual(['0', '0'])
  })

  it.skipIf(!hasV1('pids'))('pids: more processes than the limit cannot be made', () => {
    const [made] = probe(runtime, [['fork', '20']], (config) => {
      config.linux.resources.pids = { limit: 8n }
    })
    expect(made).toBe(7)
  })

  it('the process is in the cgroup of the config, the runtime is not', () => {
    const { bundle, pid } = createContainer(runtime, [['report']])
    for (const controller of ['memory', 'pids', 'devices', 'freezer'].filter(hasV1)) {
      expect(readLimit(controller, 'cgroup.procs', bundle), controller).toBe(String(pid))
    }
  })

  it('a limit that the kernel refuses is an error that names the field', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.resources.cpu = { quota: 1n, period: 1n }
    })
    expect(result.status).toBe(1)
    if (runtime.name === 'tsrunc') expect(result.stderr).toContain('/linux/resources/cpu')
  })
})
