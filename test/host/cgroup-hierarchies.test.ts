import { describe, expect, test } from 'vitest'
import { parseHierarchies } from '../../src/host/cgroup-hierarchies.ts'

const ROOT = '20 1 0:1 / / rw - ext4 /dev/vda rw'

let id = 30

/** On the root filesystem, unless a parent is given. */
function mount(path: string, type: string, options = 'rw', parent = 20): string {
  return `${++id} ${parent} 0:26 / ${path} rw,nosuid shared:9 master:1 - ${type} cgroup ${options}`
}

function parse(...lines: string[]) {
  return parseHierarchies([ROOT, ...lines, ''].join('\n'), (path) => `cpu of ${path}\n`)
}

describe('the cgroup mode', () => {
  test('is unified where v2 is mounted at the top, and v1 then counts for nothing', () => {
    const facts = parse(
      mount('/sys/fs/cgroup', 'cgroup2'),
      mount('/sys/fs/cgroup/misc', 'cgroup', 'rw,misc'),
    )
    expect(facts).toEqual({
      mode: 'unified',
      v1: [],
      v2: { mountpoint: '/sys/fs/cgroup', controllers: ['cpu', 'of', '/sys/fs/cgroup'] },
    })
  })

  test('is hybrid where v2 stands beside v1, legacy without it', () => {
    const memory = mount('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory')
    expect(parse(memory, mount('/sys/fs/cgroup/unified', 'cgroup2')).mode).toBe('hybrid')
    expect(parse(memory)).toEqual({
      mode: 'legacy',
      v1: [{ mountpoint: '/sys/fs/cgroup/memory', controllers: ['memory'] }],
    })
  })
})

describe('a hierarchy', () => {
  test('has its controllers and its name, and not its options', () => {
    const { v1 } = parse(
      mount('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,xattr,cpu,cpuacct,release_agent=/x'),
      mount('/sys/fs/cgroup/systemd', 'cgroup', 'rw,none,name=systemd'),
    )
    expect(v1.map(({ controllers }) => controllers)).toEqual([['cpu', 'cpuacct'], ['name=systemd']])
  })

  test('elsewhere is not ours', () => {
    expect(parse(mount('/mnt/cgroup', 'cgroup2'), mount('/sys/fs/cgroups', 'cgroup')).v1).toEqual(
      [],
    )
  })

  test('that is mounted twice at one place is there once: the upper one', () => {
    const lower = mount('/sys/fs/cgroup/cpu', 'cgroup', 'rw,cpu')
    const upper = mount('/sys/fs/cgroup/cpu', 'cgroup', 'rw,cpu,cpuacct', id)
    const v1 = [{ mountpoint: '/sys/fs/cgroup/cpu', controllers: ['cpu', 'cpuacct'] }]
    expect(parse(lower, upper).v1).toEqual(v1)
    expect(parse(upper, lower).v1).toEqual(v1)
  })

  test('that lies below what another mount covers is not there', () => {
    const first = mount('/sys/fs/cgroup', 'tmpfs')
    const below = id
    const hidden = ['cpu', 'pids'].map((name) =>
      mount(`/sys/fs/cgroup/${name}`, 'cgroup', `rw,${name}`, below),
    )
    const unified = mount('/sys/fs/cgroup/unified', 'cgroup2', 'rw', below)
    const second = mount('/sys/fs/cgroup', 'tmpfs', 'rw', below)
    const pids = mount('/sys/fs/cgroup/pids', 'cgroup', 'rw,pids', id)
    expect(parse(pids, second, ...hidden, unified, first)).toEqual({
      mode: 'legacy',
      v1: [{ mountpoint: '/sys/fs/cgroup/pids', controllers: ['pids'] }],
    })
  })

  test('may have spaces in its path', () => {
    const { v1 } = parse(mount('/sys/fs/cgroup/a\\040b', 'cgroup', 'rw,cpu'))
    expect(v1[0]?.mountpoint).toBe('/sys/fs/cgroup/a b')
  })
})
