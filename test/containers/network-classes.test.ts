/**
 * Classes and priorities of network traffic, which cgroup v1 alone has: in a mount namespace that has
 * its hierarchies, whatever the host mounts.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  createBundle,
  describeContainers,
  freshId,
  type Patch,
  parseValues,
  probeArguments,
  type Runtime,
  stateDirectory,
  type Value,
} from './rig.ts'

const offered = readFileSync('/proc/cgroups', 'utf8')
const has = (controller: string) => new RegExp(`^${controller}\\s`, 'm').test(offered)
const why = (controller: string) =>
  has(controller) ? '' : ` (skipped: this kernel has no ${controller})`

const MOUNT_V1 = `
  umount --recursive --lazy /sys/fs/cgroup
  mount -t tmpfs tmpfs /sys/fs/cgroup
  for controller in net_cls net_prio devices freezer; do
    grep -q "^$controller\\s" /proc/cgroups || continue
    mkdir /sys/fs/cgroup/$controller
    mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller
  done
  exec "$@"`

/** What the container reads in its own cgroup. */
function readCgroup(runtime: Runtime, file: string, patch: Patch): Value {
  const path = `/sys/fs/cgroup/${file.replace(/\..*/, '')}/${file}`
  const bundle = createBundle((config, own) => {
    config.process.args = probeArguments([['read', path]])
    config.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' })
    patch(config, own)
  })
  const run = ['--root', stateDirectory(), 'run', '--bundle', bundle.directory, freshId(runtime)]
  const args = ['--mount', 'sh', '-ec', MOUNT_V1, 'sh', runtime.path, ...run]
  const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
  expect(stderr).toBe('')
  return parseValues(stdout)[0]
}

describeContainers('linux.resources.network', (runtime) => {
  it.skipIf(!has('net_cls'))(`classID${why('net_cls')}`, () => {
    const seen = readCgroup(runtime, 'net_cls.classid', (config) => {
      config.linux.resources.network = { classID: 0x10_0001 }
    })
    expect(seen).toBe(`${0x10_0001}\n`)
  })

  it.skipIf(!has('net_prio'))(`priorities${why('net_prio')}`, () => {
    const seen = readCgroup(runtime, 'net_prio.ifpriomap', (config) => {
      config.linux.resources.network = { priorities: [{ name: 'lo', priority: 5 }] }
    })
    expect(seen).toMatch(/^lo 5$/m)
  })
})
