import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lookAtContainer } from '../../src/host/look-at-container.ts'

const hierarchy = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) =>
  existsSync(`${path}/cgroup.controllers`),
)
const isRoot = process.geteuid?.() === 0
const why = isRoot ? ' (skipped: no cgroup v2)' : ' (skipped: needs root)'
const isAble = isRoot && hierarchy !== undefined

test.skipIf(!isAble)(
  `finds the cgroup of an init whatever its name is${isAble ? '' : why}`,
  async () => {
    const path = `/tsrunc-test-${process.pid}-ö`
    const own = `${path}/init ä.scope`
    mkdirSync(`${hierarchy}${own}`, { recursive: true })
    onTestFinished(() => {
      rmdirSync(`${hierarchy}${own}`)
      rmdirSync(dirname(`${hierarchy}${own}`))
    })
    const init = spawn('sleep', ['1000'])
    const ended = once(init, 'exit')
    writeFileSync(`${hierarchy}${own}/cgroup.procs`, `${init.pid}`)
    const cgroup = { hierarchy: String(hierarchy), path, version: 2 } as const
    const { cgroups } = lookAtContainer(init.pid ?? 0, [cgroup])
    init.kill('SIGKILL')
    await ended
    expect(cgroups).toEqual([{ ...cgroup, pathOfInit: own }])
  },
)
