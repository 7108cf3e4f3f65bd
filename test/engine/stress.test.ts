/** Many containers, and what each of them costs while it waits. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultSpec } from '../../src/config/default-spec.ts'
import type { Spec } from '../../src/config/spec.ts'
import { createContainer } from '../../src/engine/create.ts'
import { deleteContainer } from '../../src/engine/delete.ts'
import { openExecutor } from '../../src/engine/execution.ts'
import { startContainer } from '../../src/engine/start.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import {
  closeRig,
  listChildren,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  prepare,
  type Rig,
  TSRUNC,
  tsrunc,
  whyNot,
} from './rig.ts'

const reason = whyNot()

describe.skipIf(reason !== undefined)(`many${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const architecture = hostArchitecture()
  let rig: Rig

  beforeAll(() => {
    rig = openRig('many')
    openExecutor()
    expect(tsrunc(rig, 'list').status).toBe(0)
  }, 60_000)
  afterAll(() => closeRig(rig))

  function specOf(name: string, args: readonly string[], resources = {}): Spec {
    const spec = defaultSpec({ rootless: false, unified: false })
    const { process, linux } = spec
    if (process === undefined || linux === undefined) throw new Error('the default has both')
    return {
      ...spec,
      process: { ...process, terminal: false, args },
      linux: {
        ...linux,
        cgroupsPath: `/${rig.name}/${name}`,
        resources: { ...linux.resources, ...resources },
      },
    }
  }

  function remove(id: string): void {
    deleteContainer({ rootPath: rig.root, id, force: true, architecture, warn: () => {} })
  }

  it('200 created and deleted leave nothing', () => {
    const bundle = makeBundle(rig, 'deleted', () => specOf('deleted', ['/probe', 'sleep', '60']))
    const input = prepare(rig, bundle, 'deleted')
    const before = lookAround(rig)
    for (let round = 0; round < 200; round++) {
      closeFd(createContainer(input).pidfd)
      remove('deleted')
    }
    expect(lookUntilSame(rig, before)).toEqual(before)
  }, 120_000)

  it('20 started at once all run', () => {
    const bundle = makeBundle(rig, 'at-once', () => {
      const { linux, ...rest } = specOf('', ['/probe', 'exit', '7'])
      const { cgroupsPath: _, ...shared } = linux ?? {}
      return { ...rest, root: { path: 'rootfs', readonly: true }, linux: shared }
    })
    const before = lookAround(rig)
    const script = `for i in $(seq 20); do
        ("$0" --root "$1" run --bundle "$2" "$3-$i" </dev/null >/dev/null; echo $?) &
      done
      wait`
    const words = ['-c', script, TSRUNC, rig.root, bundle, rig.name]
    const { stdout, stderr } = spawnSync('bash', words, { encoding: 'utf8', timeout: 60_000 })
    expect(stderr).toBe('')
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 20 }, () => '7'))
    expect(lookUntilSame(rig, before)).toEqual(before)
    const left = spawnSync('find', ['/sys/fs/cgroup', '-name', `${rig.name}-*`], {
      encoding: 'utf8',
    })
    expect(left.stdout).toBe('')
  }, 90_000)

  it('a created container is one process of less than 1 MB, and nothing of ours is in its cgroup', () => {
    const bundle = makeBundle(rig, 'idle', () => specOf('idle', ['/probe', 'sleep', '60']))
    const before = new Set(listChildren())
    const { record, pidfd } = createContainer(prepare(rig, bundle, 'idle'))
    closeFd(pidfd)
    try {
      // This process is the subreaper: all that create left running is its child.
      expect(listChildren().filter((pid) => !before.has(pid))).toEqual([record.pid])
      const rollup = readFileSync(`/proc/${record.pid}/smaps_rollup`, 'utf8')
      expect(Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1])).toBeLessThan(1024)
      for (const { hierarchy, path } of record.cgroups) {
        const procs = readFileSync(join(hierarchy, path, 'cgroup.procs'), 'utf8')
        expect(procs).toBe(`${record.pid}\n`)
      }
    } finally {
      remove('idle')
    }
  })

  it('a memory limit of 4 MB starts', (context) => {
    const hasMemory = readdirSync('/sys/fs/cgroup').includes('memory')
    context.skip(!hasMemory, 'no v1 memory controller here')
    const resources = { memory: { limit: 4n * 1024n ** 2n } }
    const bundle = makeBundle(rig, 'small', () =>
      specOf('small', ['/probe', 'sleep', '60'], resources),
    )
    closeFd(createContainer(prepare(rig, bundle, 'small')).pidfd)
    try {
      startContainer(rig.root, 'small', architecture)
    } finally {
      remove('small')
    }
  })
})
